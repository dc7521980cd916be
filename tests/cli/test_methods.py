"""Every method through the command line: to a network inside the budget."""

import json

import pytest

from tests.cli.conftest import Bench, a_profile
from tests.cli.test_help import told
from zonas_edge.architecture import Architecture, largest
from zonas_edge.cost import parameters
from zonas_edge.search.method import METHODS
from zonas_edge.search.selection import SelectionSettings
from zonas_edge.space import SearchSpace, TaskSpec

TASK = TaskSpec(1, 8, 8, 3)
LIMIT = 8_000
WORDS = [
    *("search", "--dataset", "./bands.npz", "--no-retrain", "--threads", "1"),
    *("--trial-epochs", "3"),
]


def budgeted(bench: Bench, parameters_: str) -> str:
    """A profile of the small space under another budget."""
    text = a_profile(parameters=parameters_)
    (bench.folder / "other.toml").write_text(text, encoding="utf-8")
    return "./other.toml"


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_ends_inside_the_budget(
    name: str,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bench.folder)
    profile = budgeted(bench, f"{LIMIT}")
    words = ["--profile", profile, "--epochs", "2", "--method", name]

    code, text, noise = told([*WORDS, *words], capsys)

    assert code == 0, noise
    method = METHODS[name]
    run = f"bands-other{'' if name == 'zo-darts++' else f'-{name}'}-seed0"
    folder = bench.folder / "exports" / run
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["request"]["method"] == name
    assert record["search_settings"]["method"]["estimator"] == method.estimator
    found = record["search"]
    assert found["epochs"] == method.epochs_for(2)
    assert ("search 1/" in noise) is method.trained
    assert ("warning: the search has not converged" in noise) is method.decides
    # three epochs of 30 images are too few for trials, and there is nothing to try
    # where nothing was ranked
    assert ("warning: no candidate was tried" in noise) is method.trained
    network = Architecture.from_json(
        json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    )
    assert parameters(network, TASK) == found["parameters"] <= LIMIT
    steps = found["epochs"] * (30 // record["search_settings"]["batch_size"])
    assert found["passes"] == pytest.approx(steps * method.passes_per_batch, abs=0.5)
    assert f" {name}: " in text
    if method.trained:
        assert found["ranking_loss"]["best"] <= found["ranking_loss"]["worst"]
        assert 0 <= found["val_accuracy"] <= 1
    else:
        assert found["ranking_loss"] == {"best": None, "worst": None}
        assert found["val_accuracy"] is None
        assert "the first network that fits, not ranked" in text
    if name == "random":
        assert found["ranked"] == SelectionSettings().ranked


def test_a_budget_that_only_sizes_can_meet_is_refused_to_a_method_without(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    narrow, whole = (
        parameters(largest(SearchSpace(4, 1, sizes=sizes)), TASK)
        for sizes in (False, True)
    )
    text = a_profile(parameters=f"{whole}")
    text = text.replace("[budget]", f"[budget]\nmin_parameters = {whole - 1}")
    (bench.folder / "large.toml").write_text(text, encoding="utf-8")

    words = [*WORDS, "--profile", "./large.toml", "--method", "darts"]
    code, told_, noise = told(words, capsys)

    assert (code, told_) == (3, "")
    assert noise == (
        f"error: ./large.toml: budget.min_parameters is {whole - 1:,}, above the"
        f" largest network with 3x3 kernels at depth 1 ({narrow:,})\n"
        "hint: lower budget.min_parameters, or raise space.channels (4), or choose a"
        " --method that searches sizes\n"
    )
    assert not (bench.folder / "exports").exists()


def test_a_method_that_does_not_exist_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    code, _, noise = told(
        [*WORDS, "--profile", "./small.toml", "--method", "enas"], capsys
    )
    assert code == 2
    assert noise == (
        f"error: --method: enas is not one of {', '.join(METHODS)}\n"
        "hint: zonas-edge search --help\n"
    )
