"""The budget's pull: none inside, the right way outside, and never too strong."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.strategies import SPACE, certain, mixtures, tensors, uniform
from zonas_edge.architecture import Probabilities, largest
from zonas_edge.constraint import Constraint
from zonas_edge.cost import expected, parameter_table
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.penalty import (
    Multiplier,
    growth_for,
    published_penalty,
    relative_excess,
)
from zonas_edge.search.schedule import Schedule
from zonas_edge.space import SearchSpace, TaskSpec

TASK = TaskSpec(1, 8, 8, 3)
TABLE = parameter_table(SPACE, TASK)


def upper(limit: float) -> Constraint:
    return Constraint("parameters", TABLE, upper=limit)


def lower(limit: float) -> Constraint:
    return Constraint("min_parameters", TABLE, lower=limit)


def test_the_published_penalty_of_the_uniform_mixture_is_reproduced() -> None:
    space, task = SearchSpace(), TaskSpec(1, 28, 28, 11)
    # our count has 208 fewer, on both sides
    limit = Constraint(
        "parameters", parameter_table(space, task), upper=135_159.8 - 208
    )
    found = published_penalty([limit], tensors(uniform(space)), 1.0)
    assert float(found) / 15 == pytest.approx(0.30833, abs=5e-6)
    tau = Schedule().temperature_at(20 / 50)
    assert 15 / tau == pytest.approx(31.6, abs=0.05)
    found = published_penalty([limit], tensors(uniform(space)), tau)
    assert float(found) == pytest.approx(9.75, abs=0.01)


def test_the_published_penalty_knows_the_band_of_parameters_alone() -> None:
    mixture = tensors(uniform(SPACE))
    latency = replace(upper(1.0), name="latency_p95_ms")
    assert float(published_penalty([latency], mixture, 1.0)) == 0
    count = float(expected(TABLE, mixture))
    found = published_penalty([lower(count + 1e6)], mixture, 3.0)
    assert float(found) == pytest.approx(5.0)


@given(mixtures())
def test_inside_the_budget_and_at_its_limits_there_is_no_excess(
    mixture: Probabilities,
) -> None:
    soft = tensors(mixture)
    count = float(expected(TABLE, soft))
    for limits in (
        [upper(count), lower(count)],
        [upper(count * 2), lower(count / 2)],
    ):
        assert float(relative_excess(limits, soft)) == 0


@given(mixtures(), st.floats(1.001, 10))
def test_outside_the_excess_is_relative_to_the_limit(
    mixture: Probabilities, factor: float
) -> None:
    soft = tensors(mixture)
    count = float(expected(TABLE, soft))
    over = float(relative_excess([upper(count / factor)], soft))
    assert over == pytest.approx(factor - 1, rel=1e-6)
    under = float(relative_excess([lower(count * factor)], soft))
    assert under == pytest.approx(1 - 1 / factor, rel=1e-6)
    both = [upper(count / factor), lower(count * factor)]
    assert float(relative_excess(both, soft)) == pytest.approx(over + under)


def excess_of(vector: Tensor, limits: list[Constraint]) -> Tensor:
    mixture = Alphas(vector, SPACE).mixture(1.0, sizes=True)
    return relative_excess(limits, mixture)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_small_step_against_the_gradient_moves_towards_the_budget(
    seed: int, grow: bool
) -> None:
    draw = torch.Generator().manual_seed(seed)
    start = Alphas.draw(SPACE, draw, torch.float64)
    vector = (300 * start.vector).requires_grad_()
    mixture = Alphas(vector, SPACE).mixture(1.0, sizes=True)
    count = float(expected(TABLE, mixture).detach())
    limits = [lower(2 * count)] if grow else [upper(count / 2)]
    before = excess_of(vector, limits)
    (gradient,) = torch.autograd.grad(before, vector)
    step = Multiplier(1.15).step(gradient, 1e-4, float(before.detach()))
    after = excess_of((vector + step).detach(), limits)
    assert float(after) < float(before.detach())


def test_a_certain_mixture_feels_no_pull_but_has_an_excess() -> None:
    mixture = tensors(certain(largest(SPACE), SPACE.max_depth))
    count = float(expected(TABLE, mixture))
    assert float(relative_excess([upper(count / 2)], mixture)) == 1


def test_the_largest_entry_of_a_step_is_the_rate_times_the_strength() -> None:
    gradient = torch.tensor([3.0, -6.0, 0.0])
    for scale in (1e-9, 1.0, 1e9):
        step = Multiplier(1.15, strength=2.0).step(scale * gradient, 0.01, 3.0)
        torch.testing.assert_close(step, torch.tensor([-0.01, 0.02, 0.0]))


def test_the_step_shrinks_with_the_excess_near_the_limit() -> None:
    gradient = torch.tensor([1.0, -2.0])
    step = Multiplier(1.15).step(gradient, 0.01, 0.1)
    torch.testing.assert_close(step, torch.tensor([-0.003, 0.006]))


def test_without_a_gradient_there_is_no_step() -> None:
    step = Multiplier(1.15, strength=5.0).step(torch.zeros(4), 0.01, 1.0)
    assert torch.equal(step, torch.zeros(4))


def test_the_strength_rises_outside_and_falls_back_inside_within_its_bounds() -> None:
    multiplier = Multiplier(1.15)
    assert multiplier.after(0.0).strength == 1
    rising = [multiplier := multiplier.after(0.1) for _ in range(40)]
    strengths = [found.strength for found in rising]
    assert strengths == sorted(strengths)
    assert strengths[0] == pytest.approx(1.15)
    assert strengths[-1] == 10
    falling = [multiplier := multiplier.after(0.0) for _ in range(40)]
    assert falling[0].strength == pytest.approx(10 / 1.15)
    assert falling[-1].strength == 1
    assert math.isclose(falling[3].strength, 10 / 1.15**4)


@pytest.mark.parametrize("steps", [2, 6, 31, 400])
def test_whatever_a_search_s_length_its_second_half_can_pull_in_full(
    steps: int,
) -> None:
    multiplier = Multiplier(growth_for(steps))
    for _ in range(math.ceil(steps / 2)):
        assert multiplier.strength < 10
        multiplier = multiplier.after(0.1)
    assert multiplier.strength == pytest.approx(10)


def test_a_search_of_a_step_or_none_has_a_growth_too() -> None:
    assert growth_for(0) == growth_for(1) == 10
