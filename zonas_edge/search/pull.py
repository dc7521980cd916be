"""The budget's part in a step of alpha, as the method wants it.

Source: the published code of ZO-DARTS++ (arXiv:2503.06092) for the published penalty;
the step of its own is this tool's.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.constraint import Constraint
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.method import Penalty
from zonas_edge.search.penalty import (
    Multiplier,
    growth_for,
    published_penalty,
    relative_excess,
)
from zonas_edge.search.window import Window

_HALVINGS = 10
"""Of the stretch on which a step crosses the budget's border."""


class Pull:
    """What a budget does to alpha once sizes are searched.

    Args:
        penalty: which way.
        constraints: the budget.
        rate: learning rate of alpha.
        steps: of alpha while sizes are searched, as planned, >= 0.
    """

    def __init__(
        self,
        penalty: Penalty,
        constraints: Sequence[Constraint],
        rate: float,
        *,
        steps: int,
    ) -> None:
        self._penalty = penalty
        self._constraints = tuple(constraints)
        self._rate = rate
        self._multiplier = Multiplier(growth_for(steps))

    @property
    def strength(self) -> float | None:
        """Factor of the penalty's own step; None where it has none."""
        return self._multiplier.strength if self._penalty is Penalty.OWN else None

    def resume(self, strength: float | None) -> None:
        """Go on at a strength that was recorded."""
        if strength is not None:
            self._multiplier = replace(self._multiplier, strength=strength)

    def gradient(self, alphas: Alphas, window: Window) -> Float[Tensor, "alphas"]:
        """What is added to the gradient of the validation loss."""
        if not (window.sizes and self._penalty is Penalty.PUBLISHED):
            return torch.zeros_like(alphas.vector)
        penalty = published_penalty(
            self._constraints, window.mixture(alphas), window.temperature
        )
        return _gradient(penalty, alphas.vector)

    def step(self, alphas: Alphas, window: Window) -> None:
        """Move alpha towards the budget, apart from the loss (section 13).

        A step ends at the budget's border at the latest: one that went far inside
        would take from the network what it is allowed.
        """
        if not (window.sizes and self._penalty is Penalty.OWN):
            return
        vector = alphas.vector
        total = relative_excess(self._constraints, window.mixture(alphas))
        gradient, excess = _gradient(total, vector), float(total.detach())
        step = self._multiplier.step(gradient, self._rate, excess)
        if excess > 0:  # else there is no step
            with torch.no_grad():
                vector += self._shortened(step, alphas, window)
        self._multiplier = self._multiplier.after(excess)

    def _shortened(
        self, step: Tensor, alphas: Alphas, window: Window
    ) -> Float[Tensor, "alphas"]:
        """The step, or the part of it after which alpha is just inside the budget."""

        def inside(part: float) -> bool:
            mixture = window.fixed(alphas, part * step)
            return float(relative_excess(self._constraints, mixture)) == 0

        if not inside(1.0):
            return step
        outside, enough = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (outside + enough) / 2
            if inside(middle):
                enough = middle
            else:
                outside = middle
        return enough * step


def _gradient(value: Tensor, vector: Tensor) -> Tensor:
    """Gradient by the architecture parameters; zero where the value is constant."""
    if not value.requires_grad:
        return torch.zeros_like(vector)
    (gradient,) = torch.autograd.grad(value, vector)
    return gradient.detach()
