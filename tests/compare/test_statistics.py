"""Intervals against tables that stand in books, and against every resample."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from zonas_edge.compare.statistics import difference, sign_flips, summarise

# Two-sided 95 % quantiles of Student's t, as printed in every table of it.
QUANTILES = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 29: 2.045}


@pytest.mark.parametrize(("freedom", "quantile"), QUANTILES.items())
def test_the_interval_is_the_printed_quantile_times_the_standard_error(
    freedom: int, quantile: float
) -> None:
    values = [float(place**2 % 7) for place in range(freedom + 1)]
    found = summarise(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert found.interval is not None
    low, high = found.interval
    assert high - low == pytest.approx(2 * quantile * error, rel=2e-4)
    assert (low + high) / 2 == pytest.approx(found.mean)


def test_two_values_by_hand() -> None:
    found = summarise([0.80, 0.90])
    assert found.count == 2
    assert found.mean == pytest.approx(0.85)
    assert found.sd == pytest.approx(0.0707107, abs=1e-7)
    assert found.interval == pytest.approx((0.85 - 0.6353, 0.85 + 0.6353), abs=1e-4)


def test_one_value_has_no_spread() -> None:
    found = summarise([0.5])
    assert (found.count, found.mean, found.sd, found.interval) == (1, 0.5, None, None)
    assert not difference([(0.5, 0.25)]).decidable


def test_no_value_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"^no value to summarise$"):
        summarise([])


def test_a_difference_is_taken_pair_by_pair() -> None:
    """The pairs differ by more than the methods do, and always the same way."""
    pairs = [(0.91, 0.90), (0.72, 0.70), (0.53, 0.50)]
    found = difference(pairs)
    assert found.summary.mean == pytest.approx(0.02)
    assert found.summary.sd == pytest.approx(0.01)
    half = 4.303 * 0.01 / math.sqrt(3)
    assert found.summary.interval == pytest.approx((0.02 - half, 0.02 + half), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1 + 0.2, 234_242.0])
def test_equal_values_have_an_interval_of_no_width_which_is_none(value: float) -> None:
    found = summarise([value, value + 1e-17, value])
    assert found.sd == pytest.approx(0.0, abs=1e-15)
    assert found.interval is None


@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=7))
def test_p_is_the_share_of_all_sign_patterns(values: list[float]) -> None:
    means = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(values))
    ]
    reach = abs(sum(values)) - 1e-9
    share = sum(mean >= reach for mean in means) / len(means)
    assert sign_flips(values) == pytest.approx(share)


def test_p_of_many_values_is_near_that_of_the_t_test() -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, 60)
    found = sign_flips(values.tolist())
    assert found == pytest.approx(ttest_1samp(values, 0.0).pvalue, abs=0.01)
    assert sign_flips(values.tolist()) == found


def test_p_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"^no value whose sign could be another$"):
        sign_flips([])


@pytest.mark.parametrize(
    ("values", "decidable", "shown"),
    [
        ([0.02, 0.02, 0.03], False, False),  # the interval excludes zero
        ([1.0] * 5, False, False),
        ([1.0] * 6, True, True),  # no interval, p 2 / 64
        ([0.0] * 6, True, False),
        ([0.01, 0.02, 0.03, 0.02, 0.01, 0.02], True, True),
        ([0.01, 0.02, 0.03, 0.02, 0.01, -0.02], True, False),
        ([0.01, 0.01, 0.01, 0.01, 0.01, 1.0], True, False),  # the signs say yes, t no
        # t says yes (0.13 to 0.98), the signs say that five of nine tell nothing
        ([1.0, 1.0, 0.5, 0.0, 0.0, 1.0, 0.5, 0.0, 1.0], True, True),
        ([1.0, 1.0, 0.5, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0], True, False),
    ],
)
def test_what_counts_as_shown(
    values: list[float], decidable: bool, shown: bool
) -> None:
    found = difference([(value, 0.0) for value in values])
    assert (found.decidable, found.shown) == (decidable, shown)
    other = difference([(0.0, value) for value in values])
    assert (other.decidable, other.shown) == (decidable, shown)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_every_interval_holds_the_mean(values: list[float]) -> None:
    found = summarise(values)
    if found.interval is None:
        assert max(values) - min(values) < 1e-9
    else:
        low, high = found.interval
        assert low - 1e-9 <= found.mean <= high + 1e-9
