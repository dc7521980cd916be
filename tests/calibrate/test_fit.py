"""The fit: exact without noise, non-negative with it, honest about unseen networks."""

import numpy as np
import pytest

from tests.calibrations import TIMES, TRUTH, a_calibration, observed
from tests.strategies import SPACE
from zonas_edge.calibrate.design import UNKNOWNS, random_networks, row_of, table_of
from zonas_edge.calibrate.fit import Observation, error_of, fit, relative_errors
from zonas_edge.calibrate.model import HELD_OUT
from zonas_edge.cost import exact
from zonas_edge.errors import TargetError
from zonas_edge.pipeline.host import today

NETWORKS = random_networks(SPACE, 120, np.random.default_rng(0), sparse=True)


def test_times_without_noise_are_found_exactly() -> None:
    found = fit(observed(NETWORKS))
    assert found.fixed == pytest.approx(0.1)
    np.testing.assert_allclose(found.operation, TRUTH.operation, atol=1e-9)
    np.testing.assert_allclose(found.kernel, TRUTH.kernel, atol=1e-9)


def test_five_percent_of_noise_leave_nearly_all_unseen_networks_within_ten() -> None:
    unseen = random_networks(SPACE, 100, np.random.default_rng(9), but=NETWORKS)
    table = fit(observed(NETWORKS, noise=0.05, seed=2))
    error = error_of(table, observed(unseen))
    assert error.networks == 100
    assert error.within_10_percent >= 0.99
    assert error.rank_correlation > 0.99


def test_times_are_never_negative() -> None:
    """Half of the candidates are free, and the noise says less than that."""
    times = TIMES * (np.arange(UNKNOWNS) % 2 == 0)
    table = fit(observed(NETWORKS, table=table_of(times), noise=0.2, seed=1))
    assert min(map(min, (*table.operation, *table.kernel))) == 0


def test_relative_errors_count_alike_in_small_and_large_networks() -> None:
    """One network of 1 ms and one of 100 ms, both 10 % off, pull equally."""
    seen = observed(NETWORKS)
    extremes = (
        min(seen, key=lambda one: one.undisturbed_ms),
        max(seen, key=lambda one: one.undisturbed_ms),
    )
    moved = []
    for one in extremes:
        changed = Observation(one.architecture, 1.1 * one.undisturbed_ms, one.source)
        table = fit([changed if other is one else other for other in seen])
        moved.append(exact(table, one.architecture) / one.undisturbed_ms)
    # an unweighted fit would follow the large one and leave the small one alone
    assert all(1.005 < ratio < 1.1 for ratio in moved)


def test_the_error_is_counted_as_its_name_says() -> None:
    networks = NETWORKS[:4]
    factors = (1.0, 1 / 1.09, 1 / 0.91, 1 / 1.2)
    seen = [
        Observation(network, factor * exact(TRUTH, network), "unseen")
        for network, factor in zip(networks, factors, strict=True)
    ]
    np.testing.assert_allclose(relative_errors(TRUTH, seen), [0, 0.09, -0.09, 0.2])
    error = error_of(TRUTH, seen)
    assert error.within_10_percent == 0.75
    assert error.median == pytest.approx(0.09)
    assert error.largest == pytest.approx(0.2)


def test_a_device_that_takes_no_time_is_refused() -> None:
    """Times that fall with what is computed leave nothing for the fixed part."""
    unlike = [
        Observation(network, float(row_of(network)[1:].sum()) ** 3, "fit")
        for network in NETWORKS
    ]
    with pytest.raises(TargetError) as caught:
        fit(unlike)
    assert str(caught.value) == (
        "calibrate: the measured times are not those of networks, a network"
        " without cells would take 0 ms"
    )
    assert caught.value.hint == "repeat it while the device does nothing else"


def test_held_out_networks_play_no_part_in_the_fit() -> None:
    calibration = a_calibration()
    held = [one for one in calibration.observations if one.source == HELD_OUT]
    spoilt = [
        Observation(one.architecture, 9 * one.undisturbed_ms, HELD_OUT) for one in held
    ]
    again = calibration.refitted(spoilt)
    assert again.fitted.date == today() != calibration.fitted.date
    assert again.table == calibration.table
    assert again.fitted.networks == calibration.fitted.networks == 75
    assert again.fitted.error.networks == len(held) == 15
    assert again.fitted.error.within_10_percent == 0
