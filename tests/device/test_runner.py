"""The file that travels: alone, in a bare environment, and with bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.device.tiny import (
    TINY,
    build_tiny,
    tiny_images,
    tiny_probabilities,
    write_golden,
)
from zonas_edge.device import runner
from zonas_edge.device.local import RUNNER

QUICK = ["--runs", "20", "--warmup", "2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What travels: runner, model, images and golden vectors."""
    shutil.copy(RUNNER, tmp_path / "runner.py")
    shutil.copy(TINY, tmp_path / "model.onnx")
    np.save(tmp_path / "images.npy", tiny_images(5))
    write_golden(tmp_path / "golden.npz", tiny_images(3))
    return tmp_path


def arguments(folder: Path, *extra: str) -> list[str]:
    files = ["--model", str(folder / "model.onnx")]
    files += ["--images", str(folder / "images.npy")]
    return [*files, *QUICK, *extra]


def run_here(
    capsys: pytest.CaptureFixture[str], folder: Path, *extra: str
) -> tuple[int, dict[str, Any]]:
    code = runner.main(arguments(folder, *extra))
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, answer


def test_the_committed_tiny_model_is_the_one_of_the_recipe(
    request: pytest.FixtureRequest,
) -> None:
    if request.config.getoption("--update-golden"):
        TINY.write_bytes(build_tiny())

    assert TINY.read_bytes() == build_tiny()


def test_runner_alone_measures_with_nothing_but_numpy_and_onnxruntime(
    folder: Path,
) -> None:
    bare = folder / "bare"
    bare.mkdir()
    packages = Path(onnxruntime.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "onnxruntime"):
        if (packages / name).exists():
            (bare / name).symlink_to(packages / name)
    start = (
        "import importlib.util as u, runpy, sys; sys.path.append(sys.argv[1]);"
        "assert not [n for n in ('torch', 'onnx', 'pydantic', 'zonas_edge')"
        " if u.find_spec(n)];"
        "sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    golden = ["--golden", str(folder / "golden.npz")]
    out = ["--probabilities", str(folder / "out.npy")]
    command = [sys.executable, "-I", "-S", "-c", start]
    command += [str(bare), str(folder / "runner.py")]

    done = subprocess.run(
        command + arguments(folder, *golden, *out),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["images"] == 5
    assert answer["parity"]["passed"]
    assert answer["latency_ms"]["runs"] == 20
    np.testing.assert_allclose(
        np.load(folder / "out.npy"), tiny_probabilities(tiny_images(5)), atol=1e-6
    )


def python36() -> str | None:
    """Any Python 3.6 of this machine that starts."""
    found = sorted(Path.home().glob(".pyenv/versions/3.6*/bin/python"))
    on_path = shutil.which("python3.6")
    for candidate in [*map(str, found), *([on_path] if on_path else [])]:
        tried = subprocess.run([candidate, "-V"], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


def test_runner_compiles_under_python_3_6(tmp_path: Path) -> None:
    interpreter = python36()
    if interpreter is None:
        pytest.skip("no Python 3.6 here")
    copy = shutil.copy(RUNNER, tmp_path / "runner.py")

    done = subprocess.run(
        [interpreter, "-m", "py_compile", copy],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_figure_of_the_answer_is_there_and_in_order(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, answer = run_here(capsys, folder, "--golden", str(folder / "golden.npz"))

    latency = answer["latency_ms"]
    ranked = [latency[key] for key in ("p50", "p90", "p95", "p99", "max")]
    assert code == 0
    assert ranked == sorted(ranked)
    assert 0 < latency["mean"] <= latency["max"]
    assert latency["session_seconds"] > 0
    assert latency["first_inference"] > 0
    assert (latency["threads"], latency["warmup"]) == (1, 2)
    memory = answer["memory"]
    assert memory["peak_bytes"] >= memory["before_model_bytes"] > 0
    assert answer["machine"]["onnxruntime"] == onnxruntime.__version__
    assert answer["machine"]["cpu_model"]


def test_time_ends_a_measurement_only_after_the_least_number_of_runs() -> None:
    session, _ = runner.open_session(str(TINY), 1, "CPUExecutionProvider")

    summary = runner.measure_latency(
        session, tiny_images(3), runs=1000, seconds=0, min_runs=7, warmup=1
    )

    assert summary["runs"] == 7


def test_parity_counts_near_ties_apart_from_changed_decisions() -> None:
    reference = np.array([[0.50003, 0.49997], [0.9, 0.1], [0.2, 0.8]])
    here = np.array([[0.49998, 0.50002], [0.9, 0.1], [0.2, 0.8]])

    figures = runner.parity(here, reference)

    assert figures.pop("max_abs_dp") == pytest.approx(5e-5)
    assert figures == {
        "images": 3,
        "decisions_changed": 0,
        "near_ties": 1,
        "tolerance": 1e-4,
        "passed": True,
    }


def test_parity_fails_when_a_clear_decision_changes() -> None:
    reference = np.array([[0.4, 0.3, 0.3], [0.1, 0.8, 0.1]])
    here = np.array([[0.3, 0.4, 0.3], [0.1, 0.8, 0.1]])

    figures = runner.parity(here, reference)

    assert (figures["decisions_changed"], figures["passed"]) == (1, False)


def test_parity_is_inclusive_and_fails_above_the_tolerance() -> None:
    reference = np.array([[0.0, 1.0]])
    within, above = np.array([[1e-4, 1.0]]), np.array([[1.1e-4, 1.0]])

    assert runner.parity(within, reference)["passed"]
    assert not runner.parity(above, reference)["passed"]


@pytest.mark.parametrize(
    ("extra", "code", "error"),
    [
        (
            ["--provider", "TpuExecutionProvider"],
            6,
            {
                "kind": "provider",
                "message": "TpuExecutionProvider is not one of "
                + ", ".join(onnxruntime.get_available_providers()),
            },
        ),
        (
            ["--golden", "{folder}/images.npy"],
            2,
            {
                "kind": "input",
                "message": "{folder}/images.npy: not golden vectors, an .npy file",
            },
        ),
    ],
)
def test_a_failure_is_one_json_object_and_an_exit_code(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    extra: list[str],
    code: int,
    error: dict[str, str],
) -> None:
    given = [word.format(folder=folder) for word in extra]

    answer = run_here(capsys, folder, *given)

    expected = {key: word.format(folder=folder) for key, word in error.items()}
    assert answer == (code, {"error": expected})


@pytest.mark.parametrize(
    ("images", "given"),
    [
        (np.zeros((4, 3, 8, 8), np.uint8), "uint8 [4, 3, 8, 8]"),
        (np.zeros((4, 1, 8, 8), np.float32), "float32 [4, 1, 8, 8]"),
        (np.zeros((0, 1, 8, 8), np.uint8), "uint8 [0, 1, 8, 8]"),
        (np.array(3, np.uint8), "uint8 []"),
    ],
)
def test_images_that_the_model_does_not_take_are_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, images: Any, given: str
) -> None:
    file = folder / "images.npy"
    np.save(file, images)

    assert run_here(capsys, folder) == (
        2,
        {
            "error": {
                "kind": "input",
                "message": f"{file}: {given},"
                " the model takes tensor(uint8) [1, 1, 8, 8]",
            }
        },
    )


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01", b"PK\x03\x04junk"])
def test_a_damaged_image_file_is_an_input_error(
    capsys: pytest.CaptureFixture[str], folder: Path, content: bytes
) -> None:
    (folder / "images.npy").write_bytes(content)

    code, answer = run_here(capsys, folder)

    assert (code, answer["error"]["kind"]) == (2, "input")


def test_pickled_images_are_never_unpickled(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    np.save(folder / "images.npy", np.array([{}]), allow_pickle=True)

    code, answer = run_here(capsys, folder)

    assert (code, answer["error"]["kind"]) == (2, "input")


@pytest.mark.parametrize("content", [b"", b"no model", build_tiny()[:-40]])
def test_a_model_that_does_not_load_is_exit_5(
    capsys: pytest.CaptureFixture[str], folder: Path, content: bytes
) -> None:
    (folder / "model.onnx").write_bytes(content)

    code, answer = run_here(capsys, folder)

    assert (code, answer["error"]["kind"]) == (5, "load")
    assert "\n" not in answer["error"]["message"]


def test_probabilities_that_are_not_finite_are_exit_4(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "model.onnx").write_bytes(build_tiny(scale=float("nan")))

    assert run_here(capsys, folder) == (
        4,
        {
            "error": {
                "kind": "output",
                "message": "image 0: a probability is not finite",
            }
        },
    )


def test_an_interrupt_ends_the_runner_with_exit_130(folder: Path) -> None:
    command = [sys.executable, "-I", str(folder / "runner.py")]
    endless = ["--runs", "1000000000", "--seconds", "600"]
    with subprocess.Popen(
        command + arguments(folder, *endless),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("latency"):
                break
        os.kill(child.pid, signal.SIGINT)
        stdout, _ = child.communicate(timeout=60)

    assert child.returncode == 130
    assert json.loads(stdout) == {
        "error": {"kind": "interrupted", "message": "interrupted"}
    }


@pytest.mark.parametrize(
    ("cpuinfo", "tree", "expected"),
    [
        ("model name\t: AMD EPYC 7B13\n", "", "AMD EPYC 7B13"),
        (
            "Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
            "Raspberry Pi 4 Model B Rev 1.4",
            "Raspberry Pi 4 Model B Rev 1.4; BCM2835",
        ),
        (
            "model name\t: ARMv8 Processor rev 1 (v8l)\n",
            "NVIDIA Jetson Nano Developer Kit",
            "NVIDIA Jetson Nano Developer Kit; ARMv8 Processor rev 1 (v8l)",
        ),
    ],
)
def test_the_cpu_model_names_the_board_where_the_processor_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, tree: str, expected: str
) -> None:
    files = {"/proc/cpuinfo": cpuinfo, "/proc/device-tree/model": tree}
    monkeypatch.setattr(runner, "read_text", lambda path: files[path])

    assert runner.cpu_model() == expected
