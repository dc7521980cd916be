"""The width of a reference network: the widest inside the budget, not one more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.references import GRAY, RESNET, mobilenet, tasks
from zonas_edge.constraint import expected_latency
from zonas_edge.cost import parameters, reference_bytes
from zonas_edge.errors import BudgetError
from zonas_edge.profile import Budget, DeviceProfile, Level, load_profile, profile_on
from zonas_edge.reference import WIDEST, Reference, ReferenceName
from zonas_edge.scaling import Bound, excesses, reference_for
from zonas_edge.space import TaskSpec

MOBILENET = ReferenceName.MOBILENETV2


def profile_with(**budget: float) -> DeviceProfile:
    profile = load_profile("raspberry-pi-4")
    return profile.model_copy(update={"budget": Budget.model_validate(budget)})


def limits() -> st.SearchStrategy[DeviceProfile]:
    return st.builds(
        lambda weights, ms, kb: profile_with(
            parameters=weights, latency_p95_ms=ms, model_kb=kb
        ),
        st.integers(10_000, 10_000_000),
        st.none() | st.floats(20, 500),
        st.none() | st.floats(200, 20_000),
    )


@given(limits(), tasks())
def test_the_widest_that_fits_is_chosen(profile: DeviceProfile, task: TaskSpec) -> None:
    found = reference_for(MOBILENET, profile, task)

    assert excesses(found, profile, task) == ()
    assert excesses(mobilenet(found.width + 1), profile, task)


@pytest.mark.parametrize(
    "budget", [50_000, 100_000, 150_000, 250_000, 800_000, 2_000_000]
)
def test_the_budget_is_used_to_within_five_percent(budget: int) -> None:
    found = reference_for(MOBILENET, profile_with(parameters=budget), GRAY)

    assert 0.95 * budget <= parameters(found, GRAY) <= budget


def test_a_budget_for_more_than_the_widest_gets_the_widest() -> None:
    found = reference_for(MOBILENET, profile_with(parameters=10**12), GRAY)

    assert found.width == WIDEST


def test_resnet_18_keeps_its_width_and_is_beyond_every_budget() -> None:
    profile = profile_with(parameters=800_000, latency_p95_ms=10, model_kb=3_277)

    found = reference_for(ReferenceName.RESNET18, profile, GRAY)

    latency = expected_latency(profile, found, profile.search_space, GRAY)
    assert latency is not None
    assert found == RESNET
    assert excesses(found, profile, GRAY) == (
        Bound("parameters", 800_000, 11_163_906),
        Bound("latency_p95_ms", 10, latency.p95),
        Bound("model_kb", 3_277, reference_bytes(RESNET, GRAY) / 1024),
    )


def test_latency_is_that_of_the_estimate_with_the_profiles_ratio() -> None:
    profile = profile_with(parameters=800_000)

    latency = expected_latency(profile, mobilenet(200), profile.search_space, GRAY)

    assert latency is not None
    assert latency.source == "estimate"
    assert latency.p95 == latency.p50 * profile.board[1].p95_over_p50


def test_without_a_device_there_is_no_estimate_and_no_limit_but_parameters() -> None:
    profile = profile_on(Level("medium"), "breastmnist")

    found = reference_for(MOBILENET, profile, GRAY)

    assert expected_latency(profile, found, profile.search_space, GRAY) is None
    assert 341_561 <= parameters(found, GRAY) <= 506_283


def test_a_budget_below_the_narrowest_is_refused() -> None:
    with pytest.raises(BudgetError) as caught:
        reference_for(MOBILENET, profile_with(parameters=1_000), GRAY)

    least = parameters(Reference(MOBILENET, 1), GRAY)
    assert str(caught.value) == (
        "profiles/raspberry-pi-4.toml: budget.parameters is 1,000, below the narrowest"
        f" mobilenetv2 ({least:,})"
    )
    assert caught.value.hint == "raise budget.parameters"
    assert caught.value.exit_code == 3
