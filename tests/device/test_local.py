"""This machine as a target: a process of its own, and its failures by name."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.device.conftest import ENDLESS, a_job
from tests.device.tiny import TINY, build_tiny, tiny_images, tiny_probabilities
from zonas_edge.device import local
from zonas_edge.device.job import Job
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.errors import (
    AcceptanceError,
    IncompatibleError,
    TargetError,
    UsageError,
)

LOCAL = LocalTarget()


def measured(job: Job, progress: Callable[[str], None] | None = None) -> Measurement:
    (taken,) = LOCAL.measure([job], progress)
    return taken


def test_a_measurement_holds_the_probabilities_and_the_answer(tmp_path: Path) -> None:
    lines: list[str] = []

    taken = measured(a_job(tmp_path), lines.append)

    np.testing.assert_allclose(
        taken.probabilities, tiny_probabilities(tiny_images(6)), atol=1e-6
    )
    assert taken.probabilities.dtype == np.float32
    assert taken.answer.latency_ms.runs == 20
    assert taken.answer.parity is not None
    assert taken.answer.parity.passed
    assert [line.split(":")[0] for line in lines] == [
        "load",
        "latency",
        "accuracy",
        "accuracy",
    ]


def test_peak_memory_is_the_device_process_s_and_not_this_one_s(
    tmp_path: Path,
) -> None:
    """ru_maxrss would be this process's: Linux hands it on through exec."""
    ballast = np.ones(50_000_000)  # 400 MB, touched

    taken = measured(a_job(tmp_path))

    assert taken.answer.memory.peak_bytes is not None
    assert taken.answer.memory.peak_bytes < ballast.nbytes


def test_an_interrupt_passes_through_and_the_child_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # names our child's jobs

    def interrupt(line: str) -> None:
        if line.startswith("latency"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(a_job(tmp_path, repeats=ENDLESS), interrupt)

    left = [
        file
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path).encode() in _content(file)
    ]
    assert left == []


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process ended meanwhile
        return b""


def test_a_model_that_does_not_load_is_incompatible(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(build_tiny()[:-40])

    with pytest.raises(IncompatibleError) as caught:
        measured(a_job(tmp_path, model=model))

    assert str(caught.value).startswith(
        f"{model}: onnxruntime {onnxruntime.__version__} on this machine doesn't load"
        " it, "
    )
    assert caught.value.hint == "zonas-edge check FILE --profile NAME"


def test_a_model_of_not_finite_probabilities_is_not_accepted(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(build_tiny(scale=float("nan")))

    with pytest.raises(AcceptanceError) as caught:
        measured(a_job(tmp_path, model=model))

    assert str(caught.value) == f"{model}: image 0: a probability is not finite"


def test_a_provider_that_is_not_here_is_the_target_s_fault(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        measured(replace(a_job(tmp_path), provider="TpuExecutionProvider"))

    assert str(caught.value).startswith(
        "this machine: TpuExecutionProvider is not one of "
    )
    assert caught.value.hint == "set runtime.provider in the profile"


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        measured(a_job(tmp_path, model=tmp_path / "model.onnx"))

    assert str(caught.value) == f"{tmp_path / 'model.onnx'}: no such file"


def test_damaged_golden_vectors_are_named(tmp_path: Path) -> None:
    golden = tmp_path / "damaged.npz"
    golden.write_bytes(b"PK\x03\x04")

    with pytest.raises(UsageError) as caught:
        measured(replace(a_job(tmp_path), golden=golden))

    assert str(caught.value) == f"{golden}: not golden vectors, File is not a zip file"


def test_no_room_for_the_images_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    job = a_job(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(gone))

    with pytest.raises(UsageError) as caught:
        measured(job)

    assert str(caught.value).startswith(f"{gone}/zonas-edge-")
    assert str(caught.value).endswith(": no such file or directory")
    assert caught.value.hint == "free space, or set TMPDIR to a folder that has some"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            IncompatibleError,
            (
                f"{TINY}: numpy or onnxruntime on this machine died of an illegal"
                " instruction"
            ),
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            TargetError,
            f"this machine: runner.py was ended by signal {int(signal.SIGKILL)}",
        ),
        (
            "import nothing_of_that_name",
            TargetError,
            (
                "this machine: runner.py ended with exit 1, ModuleNotFoundError:"
                " No module named 'nothing_of_that_name'"
            ),
        ),
        (
            "print('{}')",
            TargetError,
            "this machine: runner.py answered something else than a measurement",
        ),
    ],
)
def test_a_runner_that_dies_is_told_by_how_it_died(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: str,
    error: type[Exception],
    message: str,
) -> None:
    script = tmp_path / "runner.py"
    script.write_text(source, encoding="utf-8")
    monkeypatch.setattr(local, "RUNNER", script)

    with pytest.raises(error) as caught:
        measured(a_job(tmp_path))

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "answer",
    [
        "{}",
        '{"schema": 2, "results": []}',
        '{"schema": 1, "results": []}',
        '{"schema": 1, "results": [{}]}',
        '{"schema": 1, "results": 3}',
        '{"schema": 1, "error": {}}',
        '{"schema": 1, "error": null}',
    ],
)
def test_an_answer_that_is_no_measurement_is_the_target_s_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    script = tmp_path / "runner.py"
    script.write_text(f"print({answer!r})", encoding="utf-8")
    monkeypatch.setattr(local, "RUNNER", script)

    with pytest.raises(TargetError) as caught:
        measured(a_job(tmp_path))

    assert str(caught.value) == (
        "this machine: runner.py answered something else than a measurement"
    )


def test_words_of_a_shell_before_the_answer_do_no_harm(tmp_path: Path) -> None:
    shell = ("sh", "-c", f'echo welcome; exec {sys.executable} "$0" "$@"')

    (taken,) = LocalTarget(shell).measure([a_job(tmp_path)])

    assert taken.answer.images == 6


def test_an_interpreter_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        LocalTarget(("no-such-python",)).measure([a_job(tmp_path)])

    assert str(caught.value) == (
        "this machine: no interpreter no-such-python, no such file or directory"
    )
    assert caught.value.hint == "--python with the path of a Python 3.6 or later"


def test_a_folder_whose_name_is_no_utf_8_is_measured_in(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"device-\xe9")
    folder.mkdir()

    taken = measured(a_job(folder))

    assert taken.answer.images == 6
