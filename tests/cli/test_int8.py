"""INT8 on the command line: made, tried, kept or refused, validated beside float32."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench, a_profile, deny_this_runtime, furnish
from tests.cli.test_help import told
from tests.cli.test_path import record
from zonas_edge.artifact import Run
from zonas_edge.device.job import Job
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.process import Progress
from zonas_edge.pipeline.quantize import run_export_int8
from zonas_edge.pipeline.session import old_session
from zonas_edge.validate.trial import Trial

INT8_FILES = ("model.int8.onnx", "golden.int8.npz", "report.int8.json")
LOOSE = "[quantization]\nmax_accuracy_drop = 1.0\nmax_sensitivity_drop = 1.0\n"


@dataclass(frozen=True)
class Scaled:
    """This machine, where an INT8 file takes ``factor`` of its time."""

    factor: float
    name: str = "local"

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        found = LocalTarget().measure(jobs, progress)
        return tuple(
            self._scaled(one) if job.model.name == "model.int8.onnx" else one
            for job, one in zip(jobs, found, strict=True)
        )

    def _scaled(self, one: Measurement) -> Measurement:
        taken = one.answer.latency_ms
        times = replace(taken, p10=(taken.p10 or taken.p50) * self.factor)
        return replace(one, answer=replace(one.answer, latency_ms=times))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with a searched run, whose network is large enough to shrink."""
    found = furnish(tmp_path_factory.mktemp("wide"))
    text = a_profile().replace("\nchannels = 4\n", "\nchannels = 8\n")
    head, _, _ = text.partition("[quantization]")
    text = head + text[text.index("[space]") :] + LOOSE
    (found.folder / "small.toml").write_text(text, encoding="utf-8")
    words = ["search", "--profile", "./small.toml", "--dataset", "./bands.npz"]
    words += ["--epochs", "1", "--retrain-epochs", "1", "--threads", "1"]
    made = found.run(*words, "--name", "whole")
    assert made.returncode == 0, made.stderr
    return found


@pytest.fixture
def copy(tmp_path: Path, wide: Bench) -> Bench:
    """The same bench, which may be changed."""
    shutil.copytree(wide.folder, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)


def export(bench: Bench, factor: float) -> Trial:
    with old_session(
        bench.folder / "exports", "whole", data_dir=None, offline=True, bars=False
    ) as session:
        _, trial = run_export_int8(
            session.run,
            session.request,
            session.dataset,
            target=Scaled(factor),
            progress=lambda _: None,
        )
    return trial


def int8_files(bench: Bench) -> list[str]:
    folder = bench.folder / "exports" / "whole"
    return [name for name in INT8_FILES if (folder / name).exists()]


@pytest.mark.slow
def test_whatever_comes_of_int8_is_told_and_exit_0(copy: Bench) -> None:
    made = copy.run("export", "--int8", "--json", "--quiet")

    assert (made.returncode, made.stderr) == (0, "")
    told_ = json.loads(made.stdout)["int8"]
    assert told_ == record(copy.folder, "whole")["export"]["int8"]
    assert told_["accepted"] == (told_["reason"] is None)
    assert told_["calibration"]["images"] == 60
    assert int8_files(copy) == (list(INT8_FILES[:2]) if told_["accepted"] else [])


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
def test_an_accepted_file_is_validated_beside_the_float_file(copy: Bench) -> None:
    folder = copy.folder / "exports" / "whole"
    trial = export(copy, factor=1e-3)
    assert trial.accepted, trial.reason
    assert int8_files(copy) == list(INT8_FILES[:2])

    made = copy.run("validate", "--int8", "--json", "--quiet")

    report = json.loads(made.stdout)
    assert (made.returncode, made.stderr) == (
        {"pass": 0, "unverified": 0, "fail": 3}[report["verdict"]],
        "",
    )
    assert not (folder / "report.json").exists()
    assert report == json.loads((folder / "report.int8.json").read_text())
    assert report["model_bytes"] == (folder / "model.int8.onnx").stat().st_size
    assert report["parity"]["passed"]
    assert report["parity"]["tolerance"] == 0.02
    assert report["estimate_ms"] is None
    assert report["beside"]["float32_bytes"] == (folder / "model.onnx").stat().st_size
    assert report["beside"]["test"]["images"] == 15
    assert report["beside"]["speed"]["int8_ms"] == pytest.approx(
        trial.speed.int8_ms if trial.speed else 0
    )
    assert record(copy.folder, "whole")["test_openings"] == 1
    shown = copy.run("runs", "show", "whole").stdout
    assert f"INT8        accepted, {report['verdict']}\n" in shown

    for words in ([], ["model.int8.onnx"]):
        done = subprocess.run(
            [sys.executable, "infer.py", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split()[0] in {"low", "middle", "high"}


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
@pytest.mark.parametrize("words", [["export"], ["retrain", "--retrain-epochs", "1"]])
def test_an_old_int8_file_never_stays_beside_a_new_float_file(
    copy: Bench, words: list[str]
) -> None:
    assert export(copy, factor=1e-3).accepted
    assert copy.run("validate", "--int8", "--quiet").returncode in {0, 3}
    assert int8_files(copy) == list(INT8_FILES)
    model = copy.folder / "exports" / "whole" / "model.onnx"
    model.write_bytes(model.read_bytes() + b"by another version")

    made = copy.run(*words, "--quiet")

    assert made.returncode == 0, made.stderr
    assert int8_files(copy) == []


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
def test_an_accepted_file_and_its_report_stay_until_there_is_another_decision(
    copy: Bench,
) -> None:
    folder = copy.folder / "exports" / "whole"
    assert export(copy, factor=1e-3).accepted
    assert copy.run("validate", "--int8", "--quiet").returncode in {0, 3}
    before = {name: (folder / name).read_bytes() for name in INT8_FILES}
    told_ = record(copy.folder, "whole")["export"]["int8"]

    unreached = copy.run("export", "--int8", "--target", "ssh://no.invalid", "--quiet")
    assert unreached.returncode == 6
    assert copy.run("export", "--quiet").returncode == 0
    assert {name: (folder / name).read_bytes() for name in INT8_FILES} == before
    assert record(copy.folder, "whole")["export"]["int8"] == told_

    assert export(copy, factor=1e-3).accepted  # the same file once more
    assert {name: (folder / name).read_bytes() for name in INT8_FILES} == before


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
def test_what_a_device_refuses_is_told_of_the_one_file(copy: Bench) -> None:
    assert export(copy, factor=1e-3).accepted
    words = ("validate", "whole", "--quiet")
    denied_by = ("--profile", deny_this_runtime(copy.folder))
    assert copy.run(*words).returncode in {0, 3}

    assert copy.run(*words, "--int8", *denied_by).returncode == 5
    told_ = record(copy.folder, "whole")
    assert "refused" not in told_
    assert "deny list" in told_["refused_int8"]["message"]
    shown = copy.run("runs", "show", "whole").stdout
    assert "INT8 refused" in shown
    assert "refused since" not in shown

    assert copy.run(*words, *denied_by).returncode == 5
    assert copy.run(*words, "--int8").returncode in {0, 3}
    told_ = record(copy.folder, "whole")
    assert "refused_int8" not in told_
    assert "deny list" in told_["refused"]["message"]


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
def test_a_refused_file_is_not_written_and_its_reason_is_kept(
    copy: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(copy, factor=1e-3).accepted
    trial = export(copy, factor=1e3)

    assert not trial.accepted
    assert trial.reason is not None
    assert trial.reason.startswith("slower on this machine: ")
    assert int8_files(copy) == []
    monkeypatch.chdir(copy.folder)
    assert told(["validate", "whole", "--int8"], capsys) == (
        2,
        "",
        (
            f"error: exports/whole: INT8 was not accepted, {trial.reason}\n"
            "hint: zonas-edge export whole --int8\n"
        ),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("_untyped")
def test_a_bundle_of_an_int8_file_comes_back_as_its_report(copy: Bench) -> None:
    assert export(copy, factor=1e-3).accepted
    words = ["--target", "bundle", "--bundle-out", "device", "--int8", "--quiet"]

    made = copy.run("validate", *words)
    assert made.returncode == 0, made.stderr
    back = "zonas-edge validate whole --int8 --import measurement.json"
    assert f"then           {back}\n" in made.stdout
    assert back in (copy.folder / "device" / "README.txt").read_text(encoding="utf-8")
    subprocess.run(
        [sys.executable, "-I", "device/runner.py"],
        cwd=copy.folder,
        check=True,
        capture_output=True,
    )

    float32 = copy.run("validate", "--import", "device/measurement.json", "--quiet")
    assert float32.returncode == 2
    assert "not of the run's model" in float32.stderr
    judged = copy.run(
        "validate", "--int8", "--import", "device/measurement.json", "--quiet"
    )
    assert judged.returncode in {0, 3}, judged.stderr
    assert int8_files(copy) == list(INT8_FILES)


@pytest.mark.slow
def test_no_int8_export_yet_is_told(
    done: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(done.folder)

    assert told(["validate", "--int8"], capsys) == (
        2,
        "",
        (
            "error: exports/whole: no INT8 file was exported\n"
            "hint: zonas-edge export whole --int8\n"
        ),
    )


@pytest.mark.slow
def test_a_limit_for_an_unknown_class_is_told_before_anything_is_written(
    copy: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(copy.folder)
    run = Run(copy.folder / "exports" / "whole")
    request: dict[str, Any] = run.read()["request"]
    limits = {"max_sensitivity_drop_of": {"hihg": 0.0}}
    request["profile"]["quantization"] = limits
    run.update(request=request)

    assert told(["export", "--int8"], capsys)[::2] == (
        2,
        (
            "error: quantization.max_sensitivity_drop_of: unknown class hihg\n"
            "hint: did you mean high?\n"
        ),
    )
    assert not run.model.exists()


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["--target", "ssh://board"],
            "--target: export measures nothing without --int8",
            "leave out --target, or add --int8",
        ),
        (
            ["--python", "python3"],
            "--python: export measures nothing without --int8",
            "leave out --python, or add --int8",
        ),
        (
            ["--int8", "--target", "bundle"],
            "--target bundle: INT8 is tried while it is made, a bundle can't be",
            (
                "zonas-edge export --int8 on the device or by"
                " ssh://[user@]host[:port]; then zonas-edge validate --int8 --target"
                " bundle"
            ),
        ),
    ],
)
def test_options_that_do_not_go_together_are_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str, hint: str
) -> None:
    assert told(["export", *words], capsys) == (
        2,
        "",
        f"error: {message}\nhint: {hint}\n",
    )
