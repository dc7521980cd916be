"""Metrics against their sources: medmnist's evaluator, scikit-learn, textbooks."""

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from zonas_edge import metrics

Score = Callable[[NDArray[np.int64], NDArray[np.float64], str], float]


@pytest.fixture(scope="module")
def evaluator() -> Iterator[types.ModuleType]:
    """The real ``medmnist.evaluator``, without ``medmnist/__init__``.

    That one imports torchvision, which need not fit the torch that is here.
    """
    before = {n: m for n, m in sys.modules.items() if n.partition(".")[0] == "medmnist"}
    for name in before:
        del sys.modules[name]
    spec = find_spec("medmnist")
    assert spec is not None
    assert spec.origin is not None
    stub = types.ModuleType("medmnist")
    stub.__path__ = [str(Path(spec.origin).parent)]
    sys.modules["medmnist"] = stub
    yield importlib.import_module("medmnist.evaluator")
    for name in [n for n in sys.modules if n.partition(".")[0] == "medmnist"]:
        del sys.modules[name]
    sys.modules.update(before)


def drawn(
    classes: int, count: int, seed: int, decimals: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels [N, 1] with every class in them, and rounded, hence tied, scores."""
    draw = np.random.default_rng(seed)
    labels = np.concatenate(
        [np.arange(classes), draw.integers(0, classes, count - classes)]
    )
    scores = draw.dirichlet(np.ones(classes), count) + np.eye(classes)[labels] / 2
    return labels[:, None], np.round(
        scores / scores.sum(axis=1, keepdims=True), decimals
    )


@given(
    classes=st.integers(2, 6),
    count=st.integers(12, 60),
    seed=st.integers(0, 10_000),
    decimals=st.integers(1, 6),
)
@settings(max_examples=40)
def test_accuracy_and_auc_are_those_of_the_medmnist_evaluator(
    evaluator: types.ModuleType, classes: int, count: int, seed: int, decimals: int
) -> None:
    labels, scores = drawn(classes, count, seed, decimals)
    task = "binary-class" if classes == 2 else "multi-class"

    assert metrics.accuracy(labels, scores) == evaluator.getACC(labels, scores, task)
    assert metrics.auc(labels, scores) == pytest.approx(
        evaluator.getAUC(labels, scores, task), abs=1e-12
    )


def test_a_score_of_exactly_one_half_is_the_first_of_two_classes() -> None:
    probabilities = np.array([[0.5, 0.5], [0.49, 0.51]])

    assert metrics.decisions(probabilities).tolist() == [0, 1]


def test_a_tie_of_three_goes_to_the_lower_class() -> None:
    assert metrics.decisions(np.array([[0.2, 0.4, 0.4]])).tolist() == [1]


def test_an_auc_without_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^class 1 has no image, its AUC is undef"):
        metrics.auc(np.array([0, 0, 2]), np.full((3, 3), 1 / 3))


def test_sensitivity_and_specificity_are_the_textbook_s() -> None:
    """40 ill, 30 found; 60 well, 54 cleared."""
    labels = np.array([1] * 40 + [0] * 60)
    said = np.array([1] * 30 + [0] * 10 + [1] * 6 + [0] * 54)
    probabilities = np.eye(2)[said]

    well, ill = metrics.per_class(labels, probabilities)

    assert (ill.sensitivity, ill.specificity, ill.support) == (0.75, 0.9, 40)
    assert (well.sensitivity, well.specificity, well.support) == (0.9, 0.75, 60)
    assert metrics.confusion(labels, probabilities).tolist() == [[54, 6], [10, 30]]
    assert ill.sensitivity_ci95 == metrics.wilson_interval(30, 40)
    assert ill.specificity_ci95 == metrics.wilson_interval(54, 60)
    assert well.sensitivity_ci95 == metrics.wilson_interval(54, 60)
    assert well.specificity_ci95 == metrics.wilson_interval(30, 40)


def test_a_class_without_images_has_no_sensitivity() -> None:
    figures = metrics.per_class(np.array([0, 0]), np.eye(2)[[0, 1]])

    half = metrics.wilson_interval(1, 2)
    assert figures == (
        metrics.ClassMetrics(0.5, None, support=2, sensitivity_ci95=half),
        metrics.ClassMetrics(None, 0.5, support=0, specificity_ci95=half),
    )


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_s_interval_is_that_of_newcombe_s_table(
    successes: int, count: int, low: float, high: float
) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857, table I, method 3."""
    interval = metrics.wilson_interval(successes, count)

    assert interval == pytest.approx((low, high), abs=5e-5)


@given(count=st.integers(1, 20_000), data=st.data())
@settings(max_examples=50)
def test_wilson_s_interval_holds_the_share_and_stays_within_0_and_1(
    count: int, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, count))

    low, high = metrics.wilson_interval(successes, count)

    assert 0 <= low <= successes / count <= high <= 1


@pytest.mark.parametrize(("successes", "count"), [(3, 2), (-1, 2), (0, 0)])
def test_a_share_that_is_none_is_refused(successes: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"^[kn] .*must"):
        metrics.wilson_interval(successes, count)


def bootstrap(
    labels: NDArray[np.int64], scores: NDArray[np.float64], seed: int, resamples: int
) -> tuple[float, float] | None:
    return metrics.auc_interval(
        labels, scores, np.random.default_rng(seed), resamples=resamples
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_the_bootstrap_resamples_as_scikit_learn_would(classes: int) -> None:
    """The same draws, slowly: resampled images, AUC by roc_auc_score."""
    labels, scores = drawn(classes, 80, 3, 1)
    truth = labels[:, 0]
    draw = np.random.default_rng(7)
    columns = range(1, 2) if classes == 2 else range(classes)
    areas = []
    for _ in range(30):
        strata = [np.flatnonzero(truth == k) for k in range(classes)]
        chosen = np.concatenate([s[draw.integers(0, len(s), len(s))] for s in strata])
        one_against_rest = [
            roc_auc_score(truth[chosen] == k, scores[chosen, k]) for k in columns
        ]
        areas.append(np.mean(one_against_rest))

    expected = np.quantile(areas, [0.025, 0.975])

    assert bootstrap(labels, scores, 7, 30) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    labels, scores = drawn(3, 60, 0, 6)

    assert bootstrap(labels, scores, 1, 50) == bootstrap(labels, scores, 1, 50)
    assert bootstrap(labels, scores, 1, 50) != bootstrap(labels, scores, 2, 50)


def test_a_perfect_order_has_no_interval() -> None:
    labels = np.array([0, 1, 2] * 10)

    assert bootstrap(labels, np.eye(3)[labels], 0, 20) is None


@pytest.mark.parametrize(("fewest", "told"), [(9, False), (10, True)])
def test_a_class_of_few_images_leaves_no_interval(fewest: int, told: bool) -> None:
    labels = np.array([1] * fewest + [0] * 20)
    second = np.random.default_rng(0).random(len(labels))

    found = bootstrap(labels, np.stack([1 - second, second], 1), 0, 20)

    assert (found is not None) == told
