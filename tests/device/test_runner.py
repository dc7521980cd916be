"""The file that travels: alone, in a bare environment, and with bad input."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.device.environments import find_python
from tests.device.tiny import (
    TINY,
    build_tiny,
    tiny_images,
    tiny_probabilities,
    write_golden,
)
from zonas_edge.deploy.export import packed_golden
from zonas_edge.device import runner
from zonas_edge.device.job import MANIFEST, RUNNER, sha256_of_file
from zonas_edge.device.measurement import read_measurement

ASKED = {
    "model": "model.onnx",
    "images": "images.npy",
    "golden": None,
    "threads": 1,
    "provider": "CPUExecutionProvider",
    "runs": 20,
    "seconds": 5.0,
    "min_runs": 20,
    "warmup": 2,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What travels: runner, model, images and golden vectors."""
    shutil.copy(RUNNER, tmp_path / "runner.py")
    shutil.copy(TINY, tmp_path / "model.onnx")
    np.save(tmp_path / "images.npy", tiny_images(5))
    write_golden(tmp_path / "golden.npz", tiny_images(3))
    return tmp_path


def ask(folder: Path, **changes: Any) -> Path:
    """Write a file of one job, on the model that lies there."""
    model = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    job = {**ASKED, "model_sha256": model, **changes}
    file = folder / MANIFEST
    file.write_text(json.dumps({"schema": 1, "jobs": [job]}), encoding="utf-8")
    return file


def run_here(
    capsys: pytest.CaptureFixture[str], folder: Path, **changes: Any
) -> tuple[int, dict[str, Any]]:
    """Exit code, and the result of the one job, or the failure."""
    code = runner.main(["--jobs", str(ask(folder, **changes))])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer.pop("schema") == 1
    if "error" in answer:
        assert answer["error"].pop("onnxruntime") == onnxruntime.__version__
        assert answer["error"].pop("job") == 0
        asked = changes.get("model_sha256", sha256_of_file(folder / "model.onnx"))
        assert answer["error"].pop("model_sha256") == asked
        return code, answer
    (result,) = answer["results"]
    return code, result


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
    command = [sys.executable, "-I", "-S", "-c", start]
    command += [str(bare), str(folder / "runner.py")]
    jobs = ask(folder, golden="golden.npz")

    done = subprocess.run(
        [*command, "--jobs", str(jobs)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"TMPDIR": str(bare)},
    )

    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    taken = read_measurement(result)
    assert taken.answer.images == 5
    assert taken.answer.parity is not None
    assert taken.answer.parity.passed
    assert taken.answer.latency_ms.runs == 20
    np.testing.assert_allclose(
        taken.probabilities, tiny_probabilities(tiny_images(5)), atol=1e-6
    )
    assert not (bare / ".ses").exists()  # what ONNX Runtime's reporting would leave


def test_alone_the_runner_does_what_lies_beside_it(folder: Path) -> None:
    ask(folder, golden="golden.npz")

    done = subprocess.run(
        [sys.executable, str(folder / "runner.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )

    report = folder / "measurement.json"
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith(f"bring back this file: {report}\n")
    answer = json.loads(report.read_text(encoding="utf-8"))
    assert read_measurement(answer["results"][0]).answer.images == 5


def test_alone_the_runner_keeps_its_failure_too(folder: Path) -> None:
    ask(folder, provider="TpuExecutionProvider")

    done = subprocess.run(
        [sys.executable, str(folder / "runner.py")],
        capture_output=True,
        text=True,
        check=False,
    )

    report = folder / "measurement.json"
    assert done.returncode == 6
    assert done.stderr.startswith("load: ")
    assert "error: TpuExecutionProvider is not one of " in done.stderr
    answer = json.loads(report.read_text(encoding="utf-8"))
    assert answer["error"]["kind"] == "provider"


def test_a_model_that_was_damaged_on_its_way_is_not_measured(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    wrong = "0" * 64

    assert run_here(capsys, folder, model_sha256=wrong) == (
        2,
        {
            "error": {
                "kind": "input",
                "message": f"{folder}/model.onnx: damaged on its way, copy it again",
            }
        },
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not a file of jobs, Expecting value: line 1 column 1 (char 0)"),
        ("[]", "not a file of jobs, list indices must be integers or slices, not str"),
        ('{"schema": 1, "jobs": [{}]}', "not a file of jobs, 'model'"),
        ('{"schema": 2, "jobs": []}', "schema is 2, not 1"),
    ],
)
def test_a_file_of_jobs_that_is_none_is_an_input_error(
    capsys: pytest.CaptureFixture[str], folder: Path, content: str, reason: str
) -> None:
    file = folder / MANIFEST
    file.write_text(content, encoding="utf-8")

    code = runner.main(["--jobs", str(file)])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["kind"]) == (2, "input")
    assert error["message"] == f"{file}: {reason}"


def test_an_emulated_process_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert runner.emulator() is None
    monkeypatch.setattr(runner, "read_text", lambda _: "Name:\tqemu-aarch64-st\n")
    assert runner.emulator() == "qemu-aarch64-st"


@pytest.mark.parametrize(
    ("program", "cpuinfo", "machine", "emulator"),
    [
        ("/usr/bin/python3.11", "model name : Xeon", "x86_64", None),
        ("/usr/bin/python3.11", "CPU implementer : 0x41", "aarch64", None),
        ("/usr/libexec/qemu-binfmt/qemu-x86_64", "", "x86_64", "qemu-x86_64"),
        (
            "/usr/bin/python3",
            "model name : VirtualApple @ 2.50GHz",
            "x86_64",
            "Rosetta",
        ),
        ("/usr/bin/python3", "CPU implementer : 0x61", "x86_64", "an Arm"),
    ],
    ids=["x86", "arm", "binfmt", "rosetta", "implementer"],
)
def test_an_emulator_that_the_kernel_started_is_known_by_its_program_or_processor(
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    cpuinfo: str,
    machine: str,
    emulator: str | None,
) -> None:
    """A container of another platform: the process is called python3, as asked for."""
    texts = {"/proc/self/status": "Name: python3\n", "/proc/cpuinfo": f"{cpuinfo}\n"}
    monkeypatch.setattr(runner, "read_text", texts.__getitem__)
    monkeypatch.setattr("os.readlink", lambda _: program)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert runner.emulator() == emulator


@pytest.mark.parametrize(
    ("status", "modes", "mode"),
    [
        (
            "pmode:0002",
            "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=7W >",
            "7W (2)",
        ),
        ("pmode:0010", "< POWER_MODEL ID=1 NAME=5W >", "10"),
        ("pmode:0000", "", "0"),
        ("", "< POWER_MODEL ID=0 NAME=15W >", None),
    ],
)
def test_a_jetson_tells_its_power_mode(
    monkeypatch: pytest.MonkeyPatch, status: str, modes: str, mode: str | None
) -> None:
    texts = {"/var/lib/nvpmodel/status": status, "/etc/nvpmodel.conf": modes}
    monkeypatch.setattr(runner, "read_text", texts.__getitem__)
    assert runner.power_mode() == mode


def test_the_highest_clock_of_any_core_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"/a": "1420000", "/b": "1800000", "/c": "", "/d": "unknown"}
    monkeypatch.setattr(runner, "read_text", texts.__getitem__)
    monkeypatch.setattr("glob.glob", lambda _: list(texts))
    assert runner.max_mhz() == 1800
    texts = {"/c": ""}
    monkeypatch.setattr(runner, "read_text", texts.__getitem__)
    assert runner.max_mhz() is None


def test_runner_compiles_under_python_3_6(tmp_path: Path) -> None:
    interpreter = find_python("3.6")
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
    code, answer = run_here(capsys, folder, golden="golden.npz")

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
    words = f"{answer['machine']['time'].removesuffix(' UTC')} +0000"
    told = datetime.strptime(words, "%Y-%m-%d %H:%M:%S %z")
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=5)


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


def test_golden_vectors_may_bring_a_tolerance_of_their_own(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    images = tiny_images(4)
    moved = tiny_probabilities(images) + np.array([0.01, -0.01], np.float32)
    results = []
    for tolerance in (None, 0.011):
        (folder / "own.npz").write_bytes(packed_golden(images, moved, tolerance))
        _, answer = run_here(capsys, folder, golden="own.npz")
        results.append((answer["parity"]["tolerance"], answer["parity"]["passed"]))

    assert results == [(1e-4, False), (0.011, True)]


@pytest.mark.parametrize(
    ("extra", "code", "error"),
    [
        (
            {"provider": "TpuExecutionProvider"},
            6,
            {
                "kind": "provider",
                "message": "TpuExecutionProvider is not one of "
                + ", ".join(onnxruntime.get_available_providers()),
            },
        ),
        (
            {"golden": "images.npy"},
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
    extra: dict[str, str],
    code: int,
    error: dict[str, str],
) -> None:
    answer = run_here(capsys, folder, **extra)

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


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_ends_the_runner_with_exit_130(folder: Path) -> None:
    jobs = ask(folder, runs=10**9, seconds=600.0)
    with subprocess.Popen(
        [sys.executable, "-I", str(folder / "runner.py"), "--jobs", str(jobs)],
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
    error = json.loads(stdout)["error"]
    assert (error["kind"], error["message"]) == ("interrupted", "interrupted")


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


class Weary:
    """A session whose memory is at its end after a few inferences."""

    def __init__(self, inferences: int) -> None:
        self.left = inferences

    def get_inputs(self) -> list[Any]:
        """The one input."""
        return [SimpleNamespace(name="image")]

    def run(self, _names: None, _images: dict[str, Any]) -> list[Any]:
        """Answer, or fail as onnxruntime does."""
        if not self.left:
            raise RuntimeError("Failed to allocate memory\nfor a tensor")
        self.left -= 1
        return [np.array([[0.5, 0.5]], np.float32)]


@pytest.mark.parametrize(
    "work",
    [
        lambda session, images: runner.predict(session, images, runner.silent),
        runner.measure_latency,
    ],
    ids=["predict", "latency"],
)
def test_an_inference_that_fails_later_is_told_too(work: Any) -> None:
    with pytest.raises(runner.RunnerError) as caught:
        work(Weary(3), tiny_images(5))
    assert (caught.value.kind, str(caught.value)) == (
        "load",
        "Failed to allocate memory",
    )
