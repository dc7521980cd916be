"""What a request asks for, and what a run that was begun holds to of it."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tests.test_begin import a_request
from zonas_edge.artifact import Run, create_run
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.request import Request, halves
from zonas_edge.pipeline.retrain import retrain_settings, run_retrain
from zonas_edge.pipeline.search import run_search, search_settings
from zonas_edge.pipeline.session import session_of
from zonas_edge.report.progress import Progress


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_a_search_on_some_images_has_disjoint_halves_with_every_class(
    digits: Dataset,
) -> None:
    first, second = halves(digits, 0, 101)
    both = np.concatenate([first, second])
    classes = len(digits.class_names)
    assert len(set(both)) == len(both)
    assert 101 <= len(both) <= 101 + classes
    assert abs(len(first) - len(second)) <= 1
    for half in (first, second):
        assert set(digits.train.labels[half]) == set(range(classes))


def test_more_images_than_there_are_is_all_of_them(digits: Dataset) -> None:
    for some, all_of_them in zip(
        halves(digits, 3, 10**6), halves(digits, 3), strict=True
    ):
        np.testing.assert_array_equal(some, all_of_them)


def test_other_seeds_search_on_other_images(digits: Dataset) -> None:
    one, same, other = (halves(digits, seed, 100)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("images", "batch"), [(None, 128), (10**6, 128), (500, 8)])
def test_a_published_batch_is_that_of_the_whole_set(
    digits: Dataset, images: int | None, batch: int
) -> None:
    known = replace(digits, batch_size=128)
    asked = replace(a_request(), search_images=images)
    assert search_settings(asked, known).batch_size == batch


def test_what_is_no_number_of_images_is_no_request() -> None:
    damaged = a_request().to_dict() | {"search_images": "many"}
    with pytest.raises(UsageError, match="no request that can be read"):
        Request.from_dict(damaged, "run.json")


def test_a_retraining_begun_by_another_recipe_is_not_gone_on_with(
    digits: Dataset, tmp_path: Path
) -> None:
    run, asked = create_run(tmp_path, "one"), a_request()
    settings = asdict(retrain_settings(asked, digits))
    run.update(retrain_settings=settings | {"batch_size": 128})
    run.retrain_checkpoint.touch()
    with pytest.raises(UsageError) as caught:
        run_retrain(run, asked, digits, lambda *_: None)
    assert str(caught.value) == (
        f"{run.path}: its retraining was begun with batch size 128, and would go on"
        " with 32"
    )
    assert caught.value.hint == f"zonas-edge retrain one --out {tmp_path}"


def test_a_search_begun_with_other_figures_is_not_gone_on_with(
    digits: Dataset, tmp_path: Path
) -> None:
    run, asked = create_run(tmp_path, "one"), a_request()
    settings = asdict(search_settings(asked, digits))
    settings["method"]["alpha_rate"] = 0.5
    run.update(search_settings=settings)
    run.search_checkpoint.touch()
    with Progress(quiet=True) as silent, pytest.raises(UsageError) as caught:
        run_search(run, asked, digits, silent)
    assert str(caught.value) == (
        f"{run.path}: its search was begun with method alpha rate 0.5, and would go on"
        " with 0.01"
    )
    assert caught.value.hint == "begin again with another --name"
    assert run.read()["search_settings"]["method"]["alpha_rate"] == 0.5


def test_a_run_goes_on_under_the_same_images_alone() -> None:
    asked = replace(a_request(), search_images=500)
    kept = Request.from_dict(asked.to_dict(), "run.json")
    assert kept == asked
    before = {k: v for k, v in asked.to_dict().items() if k != "search_images"}
    assert Request.from_dict(before, "run.json") == a_request()
    assert a_request().difference(kept) == "search-images is None, the run's is 500"


class Told:
    """Keeps what a user would read."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Pass over it."""

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)


def test_another_machine_is_told_while_there_is_anything_left_to_compute(
    digits: Dataset, tmp_path: Path
) -> None:
    asked = replace(a_request(), dataset=digits.source)

    def warnings() -> list[str]:
        told = Told()
        with session_of(
            asked,
            digits,
            told,
            out=tmp_path,
            name="one",
            last="validate",
            resume=True,
        ):
            return told.warnings

    assert warnings() == []
    run = Run(tmp_path / "one")
    run.update(environment=run.read()["environment"] | {"torch": "0.1"})
    (warning,) = warnings()
    assert "torch" in warning
    run.mark("validate", "finished")
    assert warnings() == []
