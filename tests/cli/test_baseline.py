"""A reference network as a run: trained, exported, judged, resumed."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench, a_profile, furnish
from tests.cli.test_help import told
from tests.cli.test_interruption import epochs, stop

pytestmark = pytest.mark.slow

NARROW = "5_000"


def a_baseline(network: str, *more: str) -> list[str]:
    """The words of a baseline on the small data."""
    words = ["baseline", network, "--profile", "./narrow.toml"]
    tiny = ["--retrain-epochs", "3", "--threads", "1"]
    return [*words, "--dataset", "./bands.npz", *tiny, *more]


def record(bench: Bench, name: str) -> dict[str, Any]:
    file = bench.folder / "exports" / name / "run.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def narrow(folder: Path) -> Bench:
    bench = furnish(folder)
    (folder / "narrow.toml").write_text(a_profile(parameters=NARROW), encoding="utf-8")
    return bench


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with a trained ``bands-narrow-mobilenetv2-seed0``."""
    found = narrow(tmp_path_factory.mktemp("baseline"))
    made = found.run(*a_baseline("mobilenetv2"))
    assert made.returncode == 0, made.stderr
    assert "search" not in made.stderr
    assert "retrain 3/3: train loss " in made.stderr
    name = "bands-narrow-mobilenetv2-seed0"
    assert made.stdout.splitlines()[-1] == f"next: zonas-edge export {name}"
    return found


def test_a_baseline_is_an_ordinary_run(
    trained: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained.folder)
    name = "bands-narrow-mobilenetv2-seed0"
    found = record(trained, name)

    assert found["stages"]["baseline"] == "finished"
    assert found["request"]["method"] == "mobilenetv2"
    code, text, _ = told(["runs", "show", name], capsys)
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    weights = found["baseline"]["parameters"]
    assert code == 0
    assert "mobilenetv2 (a reference network, width 0.0" in rows["network"]
    assert f"{weights:,} of 5,000, " in rows["parameters"]
    assert rows["latency"].endswith("(an estimate, not measured)")
    assert "search" not in rows
    _, text, _ = told(["runs", "list"], capsys)
    assert text.splitlines()[1].split()[4] == f"{weights:,}"


def test_export_and_validate_take_a_baseline(trained: Bench, tmp_path: Path) -> None:
    copy = narrow(tmp_path)
    shutil.copytree(trained.folder / "exports", tmp_path / "exports")

    exported = copy.run("export", "--json", "--quiet")
    measured = copy.run("validate", "--json", "--quiet")

    assert (exported.returncode, exported.stderr) == (0, "")
    report = json.loads(measured.stdout)
    limits = {limit["name"]: limit for limit in report["limits"]}
    assert limits["parameters"]["passed"] is True
    assert report["parameters"] == json.loads(exported.stdout)["parameters"]
    assert report["estimate_source"] == "estimate"
    assert report["estimate_ms"] > 0


def test_resnet_18_is_trained_and_fails_its_budget_with_exit_3(tmp_path: Path) -> None:
    bench = narrow(tmp_path)

    made = bench.run(*a_baseline("resnet18", "--retrain-epochs", "1", "--name", "big"))
    assert made.returncode == 0, made.stderr
    warnings = [line for line in made.stderr.splitlines() if "beyond" in line]
    assert warnings[0] == (
        "warning: resnet18 is beyond the budget: parameters 11,164,419 of 5,000"
    )
    assert warnings[1].startswith(
        "warning: resnet18 is beyond the budget: latency_p95_ms "
    )
    assert "11,164,419 of 5,000 (exceeded), " in made.stdout
    exported = bench.run("export", "big", "--quiet")
    assert (exported.returncode, exported.stderr) == (0, "")
    measured = bench.run("validate", "big", "--json", "--quiet")

    report = json.loads(measured.stdout)
    assert measured.returncode == 3
    assert report["verdict"] == "fail"
    assert report["limits"][0] == {
        "name": "parameters",
        "allowed": 5_000,
        "measured": 11_164_419,
        "passed": False,
        "note": "",
    }


def test_a_killed_baseline_goes_on_to_the_same_epochs(
    trained: Bench, tmp_path: Path
) -> None:
    bench = narrow(tmp_path)
    words = a_baseline("mobilenetv2", "--name", "cut")
    log = tmp_path / "exports" / "cut" / "retrain.jsonl"

    code, _ = stop(bench, words, log, 1)
    assert code == -signal.SIGKILL
    resumed = bench.run(*words, "--resume")

    assert resumed.returncode == 0, resumed.stderr
    assert "note: exports/cut: going on with this run\n" in resumed.stderr
    whole = trained.folder / "exports" / "bands-narrow-mobilenetv2-seed0"
    assert epochs(log) == epochs(whole / "retrain.jsonl")


def test_another_method_does_not_go_on_with_a_baseline(
    trained: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained.folder)
    name = "bands-narrow-mobilenetv2-seed0"

    words = a_baseline("resnet18", "--resume", "--name", name)
    code, text, noise = told(words, capsys)

    assert (code, text) == (2, "")
    assert noise == (
        f"error: exports/{name}: method is resnet18, the run's is mobilenetv2, so it"
        " can't be resumed\n"
        "hint: repeat the run's own command with --resume, or choose another --name\n"
    )


def test_a_baseline_can_be_retrained(trained: Bench, tmp_path: Path) -> None:
    copy = narrow(tmp_path)
    shutil.copytree(trained.folder / "exports", tmp_path / "exports")

    made = copy.run("retrain", "--seed", "7", "--retrain-epochs", "1", "--json")

    assert made.returncode == 0, made.stderr
    summary = json.loads(made.stdout)
    assert summary["stages"] == {"baseline": "finished", "retrain": "finished"}
    assert summary["request"]["seed"] == 7


def test_a_calibration_takes_no_reference_network(trained: Bench) -> None:
    from zonas_edge.artifact import Run
    from zonas_edge.errors import UsageError
    from zonas_edge.pipeline.search import read_architecture

    run = Run(trained.folder / "exports" / "bands-narrow-mobilenetv2-seed0")

    with pytest.raises(UsageError) as caught:
        read_architecture(run)

    assert str(caught.value) == (
        f"{run.path}: its network is mobilenetv2, not one of a search"
    )


def test_a_level_is_searched_under_as_a_profile_is(
    tmp_path: Path, medmnist_dir: Path
) -> None:
    words = ["search", "--profile", "small", "--dataset", "breastmnist", "--no-retrain"]
    where = ["--data-dir", str(medmnist_dir), "--threads", "1", "--epochs", "1"]
    # one copy of the weights: the level is what is tried, and the time is halved
    where += ["--trial-epochs", "0", "--method", "zo-darts++-rho0"]

    made = furnish(tmp_path).run(*words, *where, "--json")

    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert "expected latency" not in made.stderr
    assert found["request"]["profile"]["device"] is None
    assert found["search"]["parameters"] <= 221_486
    assert found["search"]["estimated_latency_ms"] is None
