"""Means, intervals and paired differences over few seeds.

With three to ten seeds the normal quantile is far too narrow, hence Student's t. A
difference of two methods is taken pair by pair, under the same data, budget and seed,
which removes what the pairs share; the bootstrap beside it assumes no distribution.

Sources: Student (1908); Efron & Tibshirani (1993), percentile bootstrap.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

CONFIDENCE = 0.95
RESAMPLES = 10_000
_SEED = 0


@dataclass(frozen=True)
class Summary:
    """A figure over several networks.

    Args:
        count: networks.
        mean: of the figure, in its own unit.
        sd: standard deviation with ``count - 1``; None of one network.
        interval: of the mean, 95 %, by the t-distribution; None of one network.
    """

    count: int
    mean: float
    sd: float | None
    interval: tuple[float, float] | None


FEWEST = 3
"""Two values that happen to be equal have an interval of no width."""


@dataclass(frozen=True)
class Difference:
    """How much larger a figure is under one method than under another.

    Args:
        summary: of the differences, pair by pair.
        bootstrap: percentile interval of their mean, 95 %; None of one pair.
    """

    summary: Summary
    bootstrap: tuple[float, float] | None


def summarise(values: Sequence[float]) -> Summary:
    """Mean, spread and interval of a figure.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no value to summarise")
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Summary(1, mean, None, None)
    sd = statistics.stdev(values)
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    half = quantile * sd / math.sqrt(len(values))
    return Summary(len(values), mean, sd, (mean - half, mean + half))


def difference(pairs: Sequence[tuple[float, float]]) -> Difference:
    """The first of each pair minus the second.

    Raises:
        ValueError: there is no pair.
    """
    values = [first - second for first, second in pairs]
    return Difference(summarise(values), bootstrap(values))


def bootstrap(values: Sequence[float]) -> tuple[float, float] | None:
    """Percentile interval of the mean, the same for the same values; None of one."""
    if len(values) < 2:  # noqa: PLR2004 - one value tells nothing of its spread
        return None
    rng = np.random.default_rng(_SEED)
    data = np.asarray(values, dtype=np.float64)
    chosen = rng.integers(0, len(data), (RESAMPLES, len(data)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(data[chosen].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)
