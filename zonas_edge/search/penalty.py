"""The budget's pull on the architecture parameters.

Expected costs are known in closed form, so their gradient is exact. Two ways to use it:
the published one adds it to the validation loss; ours takes a step of its own, so that
a budget far away can't drown the loss in a shared optimiser.

Source: the published code of ZO-DARTS++ (arXiv:2503.06092) for the published penalty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.constraint import Constraint
from zonas_edge.cost import expected

PUBLISHED_STRENGTH = 15.0
MILLION = 1e6
AT_THE_LIMIT = 0.1
"""Size of the penalty's step at the limit, relative to that far outside."""
NEARNESS = 5.0
"""How fast that size grows with the relative excess: it is whole at 18 %."""


def relative_excess(
    constraints: Sequence[Constraint], mixture: Mixture[Tensor]
) -> Float[Tensor, ""]:
    """Sum over the limits of how far the expected cost is outside, relative to it.

    Zero inside the budget and at the limit itself.
    """
    total = mixture.op.new_zeros(())
    for constraint in constraints:
        cost = expected(constraint.table, mixture) * constraint.unit
        if constraint.upper is not None:
            total = total + (cost / constraint.upper - 1).relu()
        if constraint.lower is not None:
            total = total + (1 - cost / constraint.lower).relu()
    return total


def published_penalty(
    constraints: Sequence[Constraint], mixture: Mixture[Tensor], temperature: float
) -> Float[Tensor, ""]:
    """Millions of parameters outside the band, times 15 / temperature.

    The published method knows no other limit.
    """
    total = mixture.op.new_zeros(())
    for constraint in constraints:
        if constraint.name not in {"parameters", "min_parameters"}:
            continue
        cost = expected(constraint.table, mixture)
        if constraint.upper is not None:
            total = total + (cost - constraint.upper).relu()
        if constraint.lower is not None:
            total = total + (constraint.lower - cost).relu()
    return total * PUBLISHED_STRENGTH / temperature / MILLION


HIGHEST = 10.0
"""Strength that the penalty's step never exceeds."""
HALF = 0.5
"""Part of the steps with a penalty after which that strength can be reached."""


def growth_for(steps: int) -> float:
    """Growth of the strength in a search of so many steps with a penalty.

    A constant growth would leave a short search outside its budget: the strength would
    still be low at its end.

    Args:
        steps: of alpha while the penalty acts, >= 0.
    """
    return float(HIGHEST ** (1 / max(1.0, HALF * steps)))


@dataclass(frozen=True)
class Multiplier:
    """Strength of our penalty: it rises while a limit is exceeded.

    The largest entry of the step is ``rate * strength`` far outside, and falls to a
    tenth of that at the limit: so the search comes to rest at the budget instead of
    far below it, and enters it all the same, since the strength goes on rising.

    Args:
        growth: factor a window outside the budget multiplies it by, > 1.
        strength: current factor, from 1, to which it falls back inside the budget, to
            ``HIGHEST``.
    """

    growth: float
    strength: float = 1.0

    def step(
        self, gradient: Float[Tensor, "alphas"], rate: float, excess: float
    ) -> Float[Tensor, "alphas"]:
        """What to add to the parameters.

        Args:
            gradient: of the excess, by the parameters.
            rate: learning rate of the parameters.
            excess: relative excess over the budget, >= 0.
        """
        largest = gradient.abs().max()
        if largest == 0:
            return torch.zeros_like(gradient)
        size = min(1.0, AT_THE_LIMIT + NEARNESS * excess)
        return -rate * self.strength * size * gradient / largest

    def after(self, excess: float) -> "Multiplier":
        """The multiplier for the next window."""
        factor = self.growth if excess > 0 else 1 / self.growth
        strength = min(HIGHEST, max(1.0, self.strength * factor))
        return replace(self, strength=strength)
