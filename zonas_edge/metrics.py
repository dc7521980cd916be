"""Accuracy, AUC and their intervals.

Accuracy and AUC are those of ``medmnist.Evaluator``, since a figure that differs in
its rule for ties or for two classes can't be put beside the published ones: with two
classes the decision is "score of the last above one half" and the AUC is the last
column's; with more it is the argmax and the mean of the one-versus-rest AUCs.

Source: MedMNIST v2 (10.1038/s41597-022-01721-8) and its evaluator.py; Wilson (1927)
for the intervals of shares; Efron's percentile bootstrap for that of the AUC.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

Labels: TypeAlias = NDArray[np.integer[Any]]
Probabilities: TypeAlias = NDArray[np.floating[Any]]

BINARY = 2
FEWEST_IN_A_CLASS = 10
"""Images of a class below which a bootstrap of the AUC is far too narrow."""


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest; None where the test set can't tell.

    Args:
        sensitivity: share of the class's images that are said to be of it.
        specificity: share of the other images that are not said to be of it.
        support: images of the class.
        sensitivity_ci95: by Wilson.
        specificity_ci95: by Wilson.
    """

    sensitivity: float | None
    specificity: float | None
    support: int
    sensitivity_ci95: tuple[float, float] | None = None
    specificity_ci95: tuple[float, float] | None = None


def decisions(probabilities: Probabilities) -> NDArray[np.int64]:
    """The class said for each row [N, K]; a tie goes to the lower class."""
    if probabilities.shape[1] == BINARY:
        said = probabilities[:, -1] > 0.5  # noqa: PLR2004 - one half
    else:
        said = np.argmax(probabilities, axis=1)
    return np.asarray(said, dtype=np.int64)


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of right decisions, from 0 to 1; labels [N] or [N, 1]."""
    return float(accuracy_score(_flat(labels), decisions(probabilities)))


def auc(labels: Labels, probabilities: Probabilities) -> float:
    """Area under the ROC curve, from 0 to 1, as ``medmnist.Evaluator`` has it.

    Raises:
        ValueError: a class has no image, or every image is of one class.
    """
    truth = _flat(labels)
    _check_classes(truth, probabilities.shape[1])
    columns = _scored(probabilities.shape[1])
    areas = [roc_auc_score(truth == k, probabilities[:, k]) for k in columns]
    return float(np.mean(areas))


def confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Counts [K, K]: rows are the true class, columns the one said."""
    classes = range(probabilities.shape[1])
    counts: NDArray[np.int64] = confusion_matrix(
        _flat(labels), decisions(probabilities), labels=list(classes)
    )
    return counts


def per_class(labels: Labels, probabilities: Probabilities) -> tuple[ClassMetrics, ...]:
    """Sensitivity, specificity, their intervals and support of every class in order."""
    counts = confusion(labels, probabilities)
    total = int(counts.sum())
    figures = []
    for k in range(len(counts)):
        support, said = int(counts[k].sum()), int(counts[:, k].sum())
        hits = int(counts[k, k])
        others = total - support
        cleared = others - (said - hits)
        figures.append(
            ClassMetrics(
                sensitivity=hits / support if support else None,
                specificity=cleared / others if others else None,
                support=support,
                sensitivity_ci95=wilson_interval(hits, support) if support else None,
                specificity_ci95=wilson_interval(cleared, others) if others else None,
            )
        )
    return tuple(figures)


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share, without continuity correction.

    Args:
        successes: from 0 to ``count``.
        count: trials, >= 1.

    Raises:
        ValueError: a count out of its range.
    """
    found = binomtest(successes, count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def auc_interval(
    labels: Labels,
    probabilities: Probabilities,
    rng: np.random.Generator,
    resamples: int = 1000,
) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of the AUC; None where it would say nothing.

    That is where a class has fewer than ``FEWEST_IN_A_CLASS`` images, or where every
    resample gives the same: a perfect order, or one answer to all.


    Resampling is stratified: every class keeps its number of images, so that none can
    be missing from a resample.

    Args:
        labels: true classes [N] or [N, 1].
        probabilities: [N, K].
        rng: the source of the resamples; the same one gives the same interval.
        resamples: >= 1.

    Raises:
        ValueError: a class has no image.
    """
    truth = _flat(labels)
    classes = probabilities.shape[1]
    _check_classes(truth, classes)
    columns = [
        _RankedColumn.of(truth == k, probabilities[:, k]) for k in _scored(classes)
    ]
    strata = [np.flatnonzero(truth == k) for k in range(classes)]
    if min(len(images) for images in strata) < FEWEST_IN_A_CLASS:
        return None
    areas = np.empty(resamples)
    for draw in range(resamples):
        chosen = [s[rng.integers(0, len(s), len(s))] for s in strata]
        counts = np.bincount(np.concatenate(chosen), minlength=len(truth))
        weights = counts.astype(np.float64)
        areas[draw] = np.mean([column.area(weights) for column in columns])
    low, high = (float(area) for area in np.quantile(areas, [0.025, 0.975]))
    return None if low == high else (low, high)


@dataclass(frozen=True, eq=False)
class _RankedColumn:
    """One class's scores, ranked once; a resample is then a weight per image."""

    positives: NDArray[np.intp]
    """Images of the class."""
    negatives: NDArray[np.intp]
    """The other images, by rising score."""
    below: NDArray[np.intp]
    """For each positive, how many negatives score less."""
    through: NDArray[np.intp]
    """For each positive, how many negatives score less or the same."""

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: Probabilities) -> "_RankedColumn":
        positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
        negatives = negatives[np.argsort(scores[negatives], kind="stable")]
        ladder, steps = scores[negatives], scores[positives]
        return cls(
            positives,
            negatives,
            below=np.searchsorted(ladder, steps, side="left"),
            through=np.searchsorted(ladder, steps, side="right"),
        )

    def area(self, weights: NDArray[np.float64]) -> float:
        """Share of (positive, negative) pairs in the right order, ties by half."""
        counts = np.zeros(len(self.negatives) + 1)
        np.cumsum(weights[self.negatives], out=counts[1:])
        drawn = weights[self.positives]
        won = drawn @ (counts[self.below] + counts[self.through]) / 2
        return float(won / (drawn.sum() * counts[-1]))


def _flat(labels: Labels) -> Labels:
    """Labels [N, 1] as MedMNIST has them, as [N]."""
    return labels.reshape(-1)


def _scored(classes: int) -> range:
    """The columns whose AUC counts: of two classes the last, else all."""
    return range(1, 2) if classes == BINARY else range(classes)


def _check_classes(truth: Labels, classes: int) -> None:
    """Refuse a test set for which the AUC is not defined."""
    missing = sorted(set(range(classes)) - set(truth.tolist()))
    if missing:
        raise ValueError(f"class {missing[0]} has no image, its AUC is undefined")
