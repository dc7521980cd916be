"""The penalty's own step: towards the budget, and no farther."""

import pytest
import torch

from tests.strategies import SPACE
from zonas_edge.constraint import Constraint
from zonas_edge.cost import expected, parameter_table
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.method import Penalty
from zonas_edge.search.pull import Pull
from zonas_edge.search.window import Window
from zonas_edge.space import TaskSpec

TABLE = parameter_table(SPACE, TaskSpec(1, 8, 8, 3))


def some_alphas(seed: int) -> Alphas:
    drawn = Alphas.draw(SPACE, torch.Generator().manual_seed(seed), torch.float64)
    return Alphas((300 * drawn.vector).requires_grad_(), SPACE)


def count(alphas: Alphas, window: Window) -> float:
    return float(expected(TABLE, window.fixed(alphas)))


def stepped(seed: int, rate: float, limit: float, *, sizes: bool = True) -> float:
    """Expected count after a step, relative to the one before; so is the limit."""
    alphas, window = some_alphas(seed), Window(1.0, 0.025, sizes=sizes)
    before = count(alphas, window)
    bound = Constraint("parameters", TABLE, upper=limit * before)
    Pull(Penalty.OWN, [bound], rate, steps=10).step(alphas, window)
    return count(alphas, window) / before


@pytest.mark.parametrize("seed", range(4))
def test_a_long_step_ends_just_inside_the_budget(seed: int) -> None:
    assert 0.79 < stepped(seed, 5.0, 0.8) <= 0.8


@pytest.mark.parametrize("seed", range(4))
def test_a_short_step_is_taken_whole_and_ends_outside(seed: int) -> None:
    assert 0.8 < stepped(seed, 1e-3, 0.8) < stepped(seed, 5e-4, 0.8) < 1


def test_inside_the_budget_and_before_the_size_phase_nothing_moves() -> None:
    assert stepped(0, 5.0, 1.2) == 1
    assert stepped(0, 5.0, 0.8, sizes=False) == 1
