"""Intervals against tables that stand in books, and against every resample."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.compare.statistics import bootstrap, difference, summarise

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
    assert difference([(0.5, 0.25)]).bootstrap is None


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


def test_the_bootstrap_approaches_all_27_resamples_of_three() -> None:
    values = [0.0, 1.0, 5.0]
    means = sorted(
        statistics.fmean(draw) for draw in itertools.product(values, repeat=3)
    )
    exact = (means[0], means[-1])  # 1/27 of the resamples lies at each end
    found = bootstrap(values)
    assert found is not None
    assert found == pytest.approx(exact)


def test_the_bootstrap_of_many_values_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400).tolist()
    found = bootstrap(values)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    assert found == pytest.approx((mean - half, mean + half), abs=0.02)
    assert bootstrap(values) == found


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_every_interval_holds_the_mean(values: list[float]) -> None:
    found = difference([(value, 0.0) for value in values])
    for interval in (found.summary.interval, found.bootstrap):
        assert interval is not None
        low, high = interval
        assert low - 1e-9 <= found.summary.mean <= high + 1e-9
