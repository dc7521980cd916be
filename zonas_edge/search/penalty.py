"""The budget's pull on the architecture parameters.

Expected costs are known in closed form, so their gradient is exact. Two ways to use it:
the published one adds it to the validation loss; ours takes a step of its own, so that
a budget far away can't drown the loss in a shared optimiser (section 13 of the design).
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Multiplier:
    """Strength of our penalty: it rises while a limit is exceeded.

    The largest entry of the step is ``rate * strength`` far outside, and falls to a
    tenth of that at the limit: so the search comes to rest at the budget instead of
    far below it, and enters it all the same, since the strength goes on rising.

    Args:
        strength: current factor.
        growth: factor a window outside the budget multiplies it by, > 1.
        lowest: it starts here and falls back to here inside the budget.
        highest: it never exceeds this.
    """

    strength: float = 1.0
    growth: float = 1.15
    lowest: float = 1.0
    highest: float = 10.0

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
        strength = min(self.highest, max(self.lowest, self.strength * factor))
        return Multiplier(strength, self.growth, self.lowest, self.highest)
