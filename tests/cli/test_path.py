"""The whole path through real processes: search, export, validate, run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench, a_run, deny_this_runtime, furnish
from tests.cli.test_help import told
from zonas_edge.artifact import Run

pytestmark = pytest.mark.slow


def record(folder: Path, name: str) -> dict[str, Any]:
    file = folder / "exports" / name / "run.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench where the digits have been searched, with no run name given."""
    found = furnish(tmp_path_factory.mktemp("digits"))
    words = ["search", "--profile", "./small.toml", "--dataset", "digits"]
    tiny = ["--epochs", "1", "--retrain-epochs", "1", "--threads", "1"]
    made = found.run(*words, *tiny)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[-1] == "next: zonas-edge export digits-small-seed0"
    assert "search 1/1: train loss " in made.stderr
    assert "retrain 1/1: train loss " in made.stderr
    assert "warning: the search has not converged: mean row maximum" in made.stderr
    return found


def test_search_export_validate_need_no_run_name(digits: Bench) -> None:
    exported = digits.run("export", "--json", "--quiet")
    assert (exported.returncode, exported.stderr) == (0, "")
    measured = digits.run("validate", "--json", "--quiet")

    folder = digits.folder / "exports" / "digits-small-seed0"
    assert measured.stdout == (folder / "report.json").read_text(encoding="utf-8")
    report = json.loads(measured.stdout)
    assert (
        measured.returncode
        == {"pass": 0, "unverified": 0, "fail": 3}[report["verdict"]]
    )
    assert report["parameters"] == json.loads(exported.stdout)["parameters"]
    files = sorted(file.name for file in folder.iterdir() if file.name[0] != ".")
    assert files == [
        "architecture.json",
        "candidates.json",
        "golden.npz",
        "history.jsonl",
        "infer.py",
        "model.onnx",
        "report.json",
        "retrain.ckpt",
        "retrain.jsonl",
        "run.json",
        "search.ckpt",
        "weights.pt",
    ]


def test_run_prints_the_report_that_it_wrote(done: Bench) -> None:
    report = json.loads(
        (done.folder / "exports" / "whole" / "report.json").read_text(encoding="utf-8")
    )

    assert report["run"] == "whole"
    assert report["test_openings"] == 1
    assert record(done.folder, "whole")["stages"] == {
        "search": "finished",
        "retrain": "finished",
        "export": "finished",
        "validate": "finished",
    }


def test_a_finished_name_is_never_overwritten(
    done: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(done.folder)
    before = record(done.folder, "whole")

    code, text, noise = told(a_run("whole")[:-2], capsys)

    assert (code, text) == (2, "")
    assert noise == (
        "error: exports/whole: this run exists and is finished\n"
        "hint: choose another --name, or add --resume to go on with it\n"
    )
    assert record(done.folder, "whole") == before


def test_changed_settings_can_not_be_resumed(
    done: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(done.folder)

    code, text, noise = told([*a_run("whole")[:-2], "--resume", "--seed", "1"], capsys)

    assert (code, text) == (2, "")
    assert noise == (
        "error: exports/whole: seed is 1, the run's is 0, so it can't be resumed\n"
        "hint: repeat the run's own command with --resume, or choose another --name\n"
    )


def test_a_missed_gate_is_exit_4_and_an_old_runtime_exit_5(
    tmp_path: Path, copy: Bench
) -> None:
    (tmp_path / "gates.toml").write_text("min_accuracy = 1.0\n", encoding="utf-8")
    for words in (["retrain", "--retrain-epochs", "1", "--threads", "1"], ["export"]):
        made = copy.run(*words, "--quiet")
        assert made.returncode == 0, made.stderr

    missed = copy.run("validate", "--gates", "gates.toml", "--quiet")
    assert (missed.returncode, missed.stderr) == (4, "")
    weak = json.loads((tmp_path / "exports/whole/report.json").read_text())
    assert weak["accuracy"] < 1.0  # one epoch can't have learned it all
    assert missed.stdout.startswith("whole: bands on small: FAIL\n")

    old = copy.run("validate", "--profile", "./old.toml", "--quiet", "--json")
    assert (old.returncode, old.stderr) == (5, "")
    assert json.loads(old.stdout)["compatibility"]["passed"] is False
    assert record(tmp_path, "whole")["test_openings"] == 3


def test_retraining_again_takes_back_what_was_exported(
    tmp_path: Path,
    copy: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "exports" / "whole"
    old = (folder / "weights.pt").read_bytes()

    code, _, noise = told(["retrain", "--resume", "--quiet"], capsys)
    assert (code, noise) == (0, "")
    assert (folder / "weights.pt").read_bytes() == old
    assert (folder / "report.json").exists()

    made = copy.run(
        "retrain", "--seed", "7", "--retrain-epochs", "2", "--threads", "1", "--json"
    )
    assert made.returncode == 0, made.stderr
    summary = json.loads(made.stdout)
    assert summary["stages"] == {"search": "finished", "retrain": "finished"}
    assert summary["request"]["seed"] == summary["retrain_settings"]["seed"] == 7
    assert summary["search_settings"]["seed"] == 0
    for words in (["list"], ["show"]):
        assert "0, retrained 7" in told(["runs", *words], capsys)[1]
    assert "export" not in summary  # nor what was said of the old file
    assert summary["request"]["retrain_epochs"] == 2
    assert (folder / "weights.pt").read_bytes() != old
    assert not (folder / "model.onnx").exists()
    assert not (folder / "report.json").exists()

    assert told(["validate", "whole"], capsys) == (
        2,
        "",
        (
            "error: exports/whole: no exported model yet\n"
            "hint: zonas-edge export whole\n"
        ),
    )


def test_a_new_file_takes_back_the_verdict_on_another(
    tmp_path: Path, copy: Bench
) -> None:
    folder = tmp_path / "exports" / "whole"

    assert copy.run("export", "whole", "--quiet").returncode == 0
    assert record(tmp_path, "whole")["stages"]["validate"] == "finished"  # same bytes
    assert (folder / "report.json").exists()

    model = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(model + b"by another version")
    assert copy.run("export", "whole", "--quiet").returncode == 0
    assert (folder / "model.onnx").read_bytes() == model
    assert "validate" not in record(tmp_path, "whole")["stages"]
    assert not (folder / "report.json").exists()


def test_a_run_from_a_gpu_host_is_exported_where_there_is_none(
    tmp_path: Path, copy: Bench
) -> None:
    run = Run(tmp_path / "exports" / "whole")
    request = run.read()["request"] | {"device": "cuda", "data_dir": "/no/such/folder"}
    run.update(request=request)

    made = copy.run("export", "whole", "--quiet")

    assert made.returncode == 0, made.stderr
    assert record(tmp_path, "whole")["export"]["environment"]["device"] == "cpu"


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_file_that_is_not_the_exported_one_is_not_measured(
    tmp_path: Path, copy: Bench, name: str
) -> None:
    before = record(tmp_path, "whole")
    file = tmp_path / "exports" / "whole" / name
    file.write_bytes(file.read_bytes() + b"by another tool")
    for words in ([], ["--target", "bundle"]):
        answer = copy.run("validate", "whole", *words, "--quiet")
        assert answer.returncode == 2
        refused = f"error: {file.relative_to(tmp_path)}: not the file that was exported"
        assert answer.stderr.startswith(f"{refused}, sha-256 is ")
        assert answer.stderr.endswith("hint: zonas-edge export whole\n")
    file.unlink()
    answer = copy.run("validate", "whole", "--quiet")
    assert "no such file\nhint: zonas-edge export whole\n" in answer.stderr
    assert record(tmp_path, "whole") == before  # nothing was opened


@pytest.mark.slow
def test_a_validation_that_is_refused_takes_nothing_back(
    tmp_path: Path, copy: Bench
) -> None:
    before = record(tmp_path, "whole")
    (tmp_path / "gates.toml").write_text("[min_sensitivity]\nmalign = 0.9\n")

    for words in ([], ["--target", "bundle"]):
        answer = copy.run("validate", "whole", "--gates", "gates.toml", *words)
        assert answer.returncode == 2
        assert "unknown class malign" in answer.stderr
        assert record(tmp_path, "whole") == before

    unreached = copy.run("validate", "whole", "--target", "ssh://no.invalid", "--quiet")
    assert unreached.returncode == 6
    assert record(tmp_path, "whole")["stages"] == before["stages"]


@pytest.mark.slow
def test_a_device_that_refuses_the_file_stands_beside_the_old_verdict(
    tmp_path: Path, copy: Bench
) -> None:
    before = (tmp_path / "exports/whole/report.json").read_bytes()
    denied = deny_this_runtime(tmp_path)

    refused = copy.run("validate", "whole", "--profile", denied, "--quiet")
    assert refused.returncode == 5
    assert (tmp_path / "exports/whole/report.json").read_bytes() == before
    shown = copy.run("runs", "show", "whole").stdout
    assert ", refused since" in shown
    assert "is on the profile's deny list (by local, 20" in " ".join(shown.split())

    again = copy.run("validate", "whole", "--quiet")
    assert again.returncode == 0, again.stderr
    assert "refused" not in copy.run("runs", "show", "whole").stdout


@pytest.mark.slow
def test_a_bundle_s_report_is_read_back_by_the_same_gates(
    tmp_path: Path, copy: Bench
) -> None:
    (tmp_path / "gates.toml").write_text("min_accuracy = 1.0\n", encoding="utf-8")
    words = ("--gates", "gates.toml", "--profile", "x86-64")
    made = copy.run("validate", "whole", "--target", "bundle", *words, "--quiet")
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[-1] == (
        "then           zonas-edge validate whole --profile x86-64 --gates gates.toml"
        " --import measurement.json"
    )


@pytest.mark.slow
def test_no_retrain_stops_at_the_architecture(bench: Bench) -> None:
    words = ["search", "--profile", "./small.toml", "--dataset", "./bands.npz"]
    words += ["--epochs", "1", "--trial-epochs", "3", "--no-retrain", "--quiet"]
    made = bench.run(*words)

    assert made.returncode == 0, made.stderr
    name = "bands-small-seed0"
    assert made.stdout.splitlines()[-1] == f"next: zonas-edge retrain {name}"
    assert record(bench.folder, name)["stages"] == {"search": "finished"}
    assert not (bench.folder / "exports" / name / "weights.pt").exists()
