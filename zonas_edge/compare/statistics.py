"""Means, intervals and paired differences over few seeds.

With three to ten seeds the normal quantile is far too narrow, hence Student's t. A
difference of two methods is taken pair by pair, under the same data, budget and seed,
which removes what the pairs share. Beside its interval stands a test that assumes no
distribution: if the methods were alike, each pair could as well have the other sign.
With few pairs no outcome of it is rare, and then nothing counts as shown.

Sources: Student (1908); Fisher (1935), The Design of Experiments, section 21, for the
randomisation of signs.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test
from scipy.stats import t as student

CONFIDENCE = 0.95
FLIPS = 2**14
"""Patterns of signs that are tried; all there are, of up to 14 pairs."""
_SEED = 0
_EQUAL = 1e-12
"""Values that differ by no more than rounding, in units of their mean or of 1."""


@dataclass(frozen=True)
class Summary:
    """A figure over several networks.

    Args:
        count: networks.
        mean: of the figure, in its own unit.
        sd: standard deviation with ``count - 1``; None of one network.
        interval: of the mean, 95 %, by the t-distribution; None of one network, and
            of networks that are all equal, since they tell of no spread.
    """

    count: int
    mean: float
    sd: float | None
    interval: tuple[float, float] | None


FEWEST = 3
"""Of two values the interval is so wide, or by chance so narrow, that it isn't told."""


@dataclass(frozen=True)
class Difference:
    """How much larger a figure is under one method than under another.

    Args:
        summary: of the differences, pair by pair.
        p_sign_flips: share of all patterns of signs of the pairs that bring the mean
            as far from zero, in either direction, as it is; 1 if all are zero.
    """

    summary: Summary
    p_sign_flips: float

    @property
    def decidable(self) -> bool:
        """Whether there are enough pairs for any outcome of the test to be rare."""
        return 2.0 ** (1 - self.summary.count) <= 1 - CONFIDENCE

    @property
    def shown(self) -> bool:
        """Whether the interval excludes zero, and the signs are no chance.

        Of too few pairs p is never so small, see ``decidable``.
        """
        interval = self.summary.interval
        apart = interval is None or not interval[0] <= 0 <= interval[1]
        return apart and self.p_sign_flips <= 1 - CONFIDENCE


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
    if sd <= _EQUAL * max(1.0, abs(mean)):
        return Summary(len(values), mean, sd, None)
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    half = quantile * sd / math.sqrt(len(values))
    return Summary(len(values), mean, sd, (mean - half, mean + half))


def difference(pairs: Sequence[tuple[float, float]]) -> Difference:
    """The first of each pair minus the second.

    Raises:
        ValueError: there is no pair.
    """
    values = [first - second for first, second in pairs]
    return Difference(summarise(values), sign_flips(values))


def sign_flips(values: Sequence[float]) -> float:
    """Two-sided p of the values' mean, the same for the same values.

    Exact of up to 14 values; of more, by patterns that are drawn.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no value whose sign could be another")
    if len(values) == 1:
        return 1.0  # both signs bring it as far
    found = permutation_test(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)
