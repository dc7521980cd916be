"""The published protocol's figure: every epoch is looked at, and nobody looks back."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import a_profile, write_images
from tests.compare.test_plan import SETTINGS
from tests.scripts import ROOT
from zonas_edge.architecture import smallest
from zonas_edge.artifact import Run, create_run, read_lines, write_json
from zonas_edge.compare.plan import Source, cells_of, profiles_of
from zonas_edge.compare.published import Onlooker, largest
from zonas_edge.data.batches import DeviceData, DeviceSplit, Normalisation
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.nn.evaluate import evaluate
from zonas_edge.pipeline.checkpoint import save_state
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import network_with
from zonas_edge.retrain import Retraining, RetrainSettings


def mentions(word: str) -> set[str]:
    """Modules of the package that mention a word."""
    package = ROOT / "zonas_edge"
    return {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(word, file.read_text(encoding="utf-8"))
    }


def test_the_test_split_is_opened_in_one_place_for_two_purposes() -> None:
    assert mentions(r"\.open_test\(") == {"pipeline/deliver.py"}
    assert mentions(r"\bopen_test\(run") == {
        "pipeline/deliver.py",
        "compare/published.py",
    }


def test_the_log_of_looks_is_read_by_the_table_alone() -> None:
    """``again.py`` deletes it with the weights that it is of."""
    assert mentions(r"published_log") == {
        "artifact/run.py",
        "pipeline/again.py",
        "compare/published.py",
    }
    assert mentions(r"import largest") == {"compare/row.py"}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_images(tmp_path / "bands.npz")
    return load_dataset(str(tmp_path / "bands.npz"))


@pytest.fixture
def request_(tmp_path: Path, dataset: Dataset) -> Request:
    file = tmp_path / "small.toml"
    file.write_text(a_profile(), encoding="utf-8")
    settings = replace(
        SETTINGS, epochs=1, retrain_epochs=3, trial_epochs=0, published_protocol=True
    )
    (cell,) = cells_of(
        settings,
        methods=["zo-darts++"],
        sources=[Source.of(dataset, flip=False, facts={})],
        profiles=profiles_of([str(file)], []),
        seeds=1,
    )
    return cell.request


def a_retraining(run: Run, request: Request, dataset: Dataset) -> Retraining:
    architecture = smallest(request.profile.search_space)
    write_json(run.architecture, architecture.to_json())
    return Retraining(
        architecture,
        dataset.task,
        data=DeviceData.of(dataset, "cpu"),
        settings=RetrainSettings(epochs=3, batch_size=8, seed=0, flip=False),
    )


def test_each_epoch_is_looked_at_once_however_often_it_is_asked_for(
    tmp_path: Path, dataset: Dataset, request_: Request
) -> None:
    run = create_run(tmp_path / "runs", "one")
    training = a_retraining(run, request_, dataset)
    expected = []
    Onlooker(run, request_, dataset).look()  # before the first checkpoint
    while not training.finished:
        training.run_epoch()
        save_state(run.retrain_checkpoint, training.state_dict())
        for _ in range(2):  # as after a kill, by another process
            Onlooker(run, request_, dataset).look()
        averaged = training.state_dict()["learner"]["averaged"]
        weights: dict[str, torch.Tensor] = {
            name.removeprefix("module."): value
            for name, value in averaged.items()
            if name != "n_averaged"
        }
        network = network_with(run, dataset.task, weights)
        test = DeviceSplit.of(dataset.open_test())
        normalisation = Normalisation.of(dataset.train)
        expected.append(evaluate(network, test, normalisation)[1])

    looks = read_lines(run.published_log)
    assert [look["epoch"] for look in looks] == [1, 2, 3]
    assert [look["accuracy"] for look in looks] == expected
    assert largest(run, 3) == max(expected)
    assert largest(run, 4) is None  # an epoch that nobody has seen may be the largest
    assert run.read()["test_openings"] == 3


def test_nobody_has_looked_is_no_figure(tmp_path: Path) -> None:
    assert largest(create_run(tmp_path / "runs", "one"), 3) is None
