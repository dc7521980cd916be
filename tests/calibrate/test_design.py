"""The networks to measure: of the space, all different, and enough to tell."""

import numpy as np
import pytest
from hypothesis import given

from tests.calibrations import TRUTH
from tests.strategies import SPACE, architectures
from zonas_edge.architecture import Architecture
from zonas_edge.calibrate.design import (
    UNKNOWNS,
    plan,
    random_networks,
    row_of,
    table_of,
)
from zonas_edge.cost import exact
from zonas_edge.latency import LatencyModel
from zonas_edge.space import KERNELS, OPS, STAGES, Op, SearchSpace

ESTIMATE = LatencyModel(TRUTH, 1.0, "estimate")


@given(architectures(connected=True))
def test_a_row_times_the_unknowns_is_the_cost_formula(
    architecture: Architecture,
) -> None:
    times = np.random.default_rng(1).uniform(size=UNKNOWNS)
    found = row_of(architecture) @ times
    assert found == pytest.approx(exact(table_of(times), architecture), rel=1e-12)


def test_every_candidate_has_an_unknown_and_nothing_costs_nothing() -> None:
    table = table_of(np.arange(1.0, UNKNOWNS + 1))
    times = [table.fixed]
    for s in range(STAGES):
        own = dict(zip(OPS, table.operation[s], strict=True))
        assert own.pop(Op.NONE) == own.pop(Op.CONV) == 0
        times += [*own.values(), *table.kernel[s]]
    assert sorted(times) == list(range(1, UNKNOWNS + 1))
    assert len(KERNELS) * STAGES + 3 * STAGES + 1 == UNKNOWNS


@pytest.mark.parametrize("space", [SPACE, SearchSpace(16, 3)])
def test_a_plan_is_of_different_connected_networks_of_the_space(
    space: SearchSpace,
) -> None:
    rng = np.random.default_rng(0)
    chosen = plan(space, ESTIMATE, networks=60, rng=rng)
    networks = [*chosen.fitted, *chosen.held_out]
    assert (len(chosen.fitted), len(chosen.held_out)) == (48, 12)
    assert len(set(networks)) == 60
    assert all(network.belongs_to(space) for network in networks)
    assert all(network.connected for network in networks)
    assert all(network == network.simplified() for network in networks)


def test_the_same_seed_plans_the_same_networks() -> None:
    plans = [
        plan(SPACE, ESTIMATE, networks=50, rng=np.random.default_rng(3))
        for _ in range(2)
    ]
    assert plans[0] == plans[1]


def test_a_plan_tells_more_than_as_many_random_networks() -> None:
    """Each unknown alone has a smaller variance, the worst one by far."""

    def variances(networks: tuple[Architecture, ...]) -> np.ndarray:
        rows = np.array(
            [row_of(network) / ESTIMATE.p50_ms(network) for network in networks]
        )
        return np.diag(np.linalg.inv(rows.T @ rows))

    planned = plan(SPACE, ESTIMATE, networks=100, rng=np.random.default_rng(0)).fitted
    drawn = random_networks(SPACE, len(planned), np.random.default_rng(0))
    assert variances(planned).max() < 0.5 * variances(drawn).max()


def test_none_of_the_networks_that_are_excluded_is_drawn() -> None:
    known = random_networks(SPACE, 30, np.random.default_rng(5))
    again = random_networks(SPACE, 30, np.random.default_rng(5), but=known)
    assert len(again) == 30
    assert not set(known) & set(again)
