"""The budget as constraints: inclusive limits, and what can't be reached."""

import math
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given

from tests.strategies import SPACE, architectures
from zonas_edge.architecture import (
    Architecture,
    every_one_cell,
    largest,
    smallest,
)
from zonas_edge.constraint import (
    Constraint,
    check_reachable,
    constraints_of,
    fits,
    latency_model,
)
from zonas_edge.cost import exact, parameter_table, parameters
from zonas_edge.errors import BudgetError
from zonas_edge.profile import Budget, DeviceProfile, load_profile
from zonas_edge.space import SearchSpace, TaskSpec

TASK = TaskSpec(1, 8, 8, 3)
TABLE = parameter_table(SPACE, TASK)
LOW, HIGH = (parameters(found, TASK) for found in (smallest(SPACE), largest(SPACE)))


def profile_with(**budget: float) -> DeviceProfile:
    profile = load_profile("raspberry-pi-4")
    return profile.model_copy(update={"budget": Budget.model_validate(budget)})


@given(architectures(connected=True))
def test_limits_are_inclusive(architecture: Architecture) -> None:
    count = parameters(architecture, TASK)
    for exactly in (
        Constraint("parameters", TABLE, upper=count),
        Constraint("min_parameters", TABLE, lower=count),
    ):
        assert exactly.excess(architecture) == 0
        assert fits([exactly], architecture)


@given(architectures(connected=True))
def test_one_weight_outside_a_limit_is_outside(architecture: Architecture) -> None:
    count = parameters(architecture, TASK)
    above = Constraint("parameters", TABLE, upper=count - 1)
    below = Constraint("min_parameters", TABLE, lower=count + 1)
    assert above.excess(architecture) == pytest.approx(1 / (count - 1))
    assert below.excess(architecture) == pytest.approx(1 / (count + 1))
    assert not fits([above], architecture)
    assert not fits([below], architecture)


def test_the_excess_is_relative_to_the_limit_and_never_negative() -> None:
    network = smallest(SPACE)
    assert Constraint("parameters", TABLE, upper=LOW / 2).excess(network) == 1
    assert Constraint("parameters", TABLE, upper=LOW * 2).excess(network) == 0
    assert Constraint("min_parameters", TABLE, lower=LOW * 2).excess(network) == 0.5
    assert Constraint("min_parameters", TABLE, lower=LOW / 2).excess(network) == 0


def test_every_limit_of_a_profile_becomes_a_constraint() -> None:
    profile = profile_with(
        parameters=5000, min_parameters=500, latency_p95_ms=20.0, model_kb=40.0
    )
    found = constraints_of(profile, SPACE, TASK)
    assert [(c.name, c.upper, c.lower) for c in found] == [
        ("parameters", 5000, None),
        ("min_parameters", None, 500),
        ("latency_p95_ms", 20.0, None),
        ("model_kb", 40.0, None),
    ]
    network = largest(SPACE)
    model = latency_model(profile, SPACE, TASK)
    costs = {c.name: c.cost(network) for c in found}
    assert costs["parameters"] == costs["min_parameters"] == HIGH
    assert costs["latency_p95_ms"] == pytest.approx(model.p95_ms(network))
    graph = 12_000 + 100 * 3 + 620 * 6 * 3 * SPACE.max_depth
    assert costs["model_kb"] == pytest.approx((4 * HIGH + graph) / 1024)


def test_a_limit_that_is_not_set_is_no_constraint() -> None:
    found = constraints_of(profile_with(parameters=5000), SPACE, TASK)
    assert [constraint.name for constraint in found] == ["parameters"]


def test_the_extremes_of_a_space_can_be_reached() -> None:
    for limit in (
        Constraint("parameters", TABLE, upper=LOW),
        Constraint("min_parameters", TABLE, lower=HIGH),
    ):
        check_reachable([limit], SPACE, "pi.toml")


def test_limits_that_no_network_meets_together_are_refused() -> None:
    """A Raspberry Pi 4 is asked for 1.5 million weights in five milliseconds."""
    space, task = SearchSpace(), TaskSpec(1, 28, 28, 2)
    profile = load_profile("raspberry-pi-4")
    budget = Budget(parameters=2_000_000, min_parameters=1_500_000, latency_p95_ms=5)
    asked = profile.model_copy(update={"budget": budget})
    with pytest.raises(BudgetError) as caught:
        check_reachable(constraints_of(asked, space, task), space, "pi.toml")
    assert str(caught.value) == (
        "pi.toml: no network of this space is inside budget.min_parameters ="
        " 1,500,000 and budget.latency_p95_ms = 5"
    )
    assert caught.value.hint == (
        "lower budget.min_parameters, or raise budget.latency_p95_ms"
    )


@given(architectures(connected=True), architectures(connected=True))
def test_limits_that_a_network_meets_are_never_refused(
    one: Architecture, other: Architecture
) -> None:
    profile = profile_with(parameters=HIGH, min_parameters=LOW, latency_p95_ms=1)
    _, lower, upper = constraints_of(profile, SPACE, TASK)
    for heavy, quick in ((one, one), (one, other), (other, one)):
        limits = [
            replace(lower, lower=lower.cost(heavy)),
            replace(upper, upper=upper.cost(quick)),
        ]
        met = fits(limits, one) or fits(limits, other)
        with nullcontext() if met else suppress(BudgetError):
            check_reachable(limits, SPACE, "pi.toml")


def test_a_budget_below_the_smallest_network_is_refused() -> None:
    limits = [Constraint("parameters", TABLE, upper=LOW - 1)]
    with pytest.raises(BudgetError) as caught:
        check_reachable(limits, SPACE, "pi.toml")
    assert str(caught.value) == (
        f"pi.toml: budget.parameters is {LOW - 1:,}, below the smallest network of"
        f" this space ({LOW:,})"
    )
    assert caught.value.hint == "raise budget.parameters, or lower space.channels (2)"
    assert caught.value.exit_code == 3


def test_a_budget_above_the_largest_network_is_refused() -> None:
    limits = [Constraint("min_parameters", TABLE, lower=HIGH + 1)]
    with pytest.raises(BudgetError) as caught:
        check_reachable(limits, SPACE, "pi.toml")
    assert str(caught.value) == (
        f"pi.toml: budget.min_parameters is {HIGH + 1:,}, above the largest network of"
        f" this space ({HIGH:,})"
    )
    assert caught.value.hint == (
        "lower budget.min_parameters, or raise space.channels (2)"
    )
    assert caught.value.exit_code == 3


def test_a_space_without_sizes_has_its_own_extremes() -> None:
    narrow = replace(SPACE, sizes=False)
    low, high = (parameters(make(narrow), TASK) for make in (smallest, largest))
    check_reachable([Constraint("parameters", TABLE, upper=low)], narrow, "pi.toml")
    check_reachable(
        [Constraint("min_parameters", TABLE, lower=high)], narrow, "pi.toml"
    )
    with pytest.raises(BudgetError) as caught:
        check_reachable(
            [Constraint("min_parameters", TABLE, lower=HIGH)], narrow, "pi.toml"
        )
    assert str(caught.value) == (
        f"pi.toml: budget.min_parameters is {HIGH:,}, above the largest network with"
        f" 3x3 kernels at depth {SPACE.max_depth} ({high:,})"
    )
    assert caught.value.hint == (
        "lower budget.min_parameters, or raise space.channels (2), or choose a --method"
        " that searches sizes"
    )


def test_the_smallest_reachable_latency_is_named_in_the_limit_s_unit() -> None:
    profile = profile_with(parameters=HIGH, latency_p95_ms=1e-6)
    limits = constraints_of(profile, SPACE, TASK)
    low = limits[1].cost(smallest(SPACE))
    assert math.isfinite(low)
    with pytest.raises(BudgetError) as caught:
        check_reachable(limits, SPACE, "pi.toml")
    assert str(caught.value) == (
        "pi.toml: budget.latency_p95_ms is 1e-06, below the smallest network of this"
        f" space ({low:.4g})"
    )


def test_a_size_that_is_an_upper_bound_is_called_so() -> None:
    limits = constraints_of(profile_with(parameters=HIGH, model_kb=1), SPACE, TASK)
    with pytest.raises(BudgetError, match=r"model_kb is 1, .*, an upper bound\)$"):
        check_reachable(limits, SPACE, "pi.toml")


def test_a_band_between_two_cells_of_a_space_without_sizes_is_refused() -> None:
    narrow = replace(SPACE, sizes=False)
    table = parameter_table(narrow, TASK)
    counts = sorted(
        {
            exact(table, found.simplified())
            for found in every_one_cell(narrow)
            if found.connected
        }
    )
    low, high = max(pairwise(counts), key=lambda pair: pair[1] - pair[0])
    assert high - low > 2

    def band(least: float, most: float) -> list[Constraint]:
        return [
            Constraint("parameters", table, upper=most),
            Constraint("min_parameters", table, lower=least),
        ]

    check_reachable(band(low, high - 1), narrow, "pi.toml")
    check_reachable(band(low + 1, high), narrow, "pi.toml")
    check_reachable(band(low + 1, high - 1), SPACE, "pi.toml")  # not looked into
    with pytest.raises(BudgetError) as caught:
        check_reachable(band(low + 1, high - 1), narrow, "pi.toml")
    assert str(caught.value) == (
        "pi.toml: no network with 3x3 kernels at depth 2 is inside all limits of the"
        " budget"
    )
    assert caught.value.hint == (
        "widen the budget, or choose a --method that searches sizes"
    )
