"""One copy of the supernet's weights, in one flat vector, with its optimiser.

The zeroth-order estimator trains two copies from the same state. Flat vectors make
"the same state" one copy of weights and momentum, and "their difference" one
subtraction. The published code let the copies differ in momentum and in its kind; that
mismatch drowned its signal (design, section 11, defect 1).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zonas_edge.nn.supernet import Supernet


@dataclass(frozen=True)
class WeightSettings:
    """How the supernet's weights are trained: SGD with Nesterov momentum.

    Args:
        momentum: of the weights.
        decay: L2 on all weights; those of skipped candidates decay too.
        clip: largest norm of the weights' gradient.
    """

    momentum: float = 0.9
    decay: float = 3e-4
    clip: float = 5.0


class WeightCopy:
    """A supernet whose parameters and gradients are views of two flat vectors."""

    def __init__(self, supernet: Supernet, settings: WeightSettings) -> None:
        self.supernet = supernet
        self._clip = settings.clip
        parameters = list(supernet.parameters())
        flat = torch.cat([part.detach().reshape(-1) for part in parameters])
        self.flat = nn.Parameter(flat)
        self.flat.grad = torch.zeros_like(flat)
        offset = 0
        for part in parameters:
            end = offset + part.numel()
            part.data = self.flat.data[offset:end].view_as(part)
            part.grad = self.flat.grad[offset:end].view_as(part)
            offset = end
        self._optimizer = torch.optim.SGD(
            [self.flat],
            lr=0.0,
            momentum=settings.momentum,
            weight_decay=settings.decay,
            nesterov=True,
        )

    def zero_gradient(self) -> None:
        """Forget the gradient; the views stay."""
        if self.flat.grad is not None:
            self.flat.grad.zero_()

    def gradient(self) -> Float[Tensor, "weights"]:
        """The gradient that the last backward pass left, unclipped, as a copy."""
        if self.flat.grad is None:
            raise ValueError("no gradient")
        return self.flat.grad.clone()

    def step(self, loss: Float[Tensor, ""], rate: float) -> None:
        """One training step on ``loss``.

        Args:
            loss: a function of these weights alone, of no architecture parameter.
            rate: learning rate.
        """
        self.zero_gradient()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([self.flat], self._clip)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()

    def copy_from(self, other: "WeightCopy") -> None:
        """Take over the other's weights and momentum."""
        self.load_state_dict(other.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Weights and momentum; the tensors are the live ones."""
        state = self._optimizer.state.get(self.flat, {})
        return {
            "weights": self.flat.data,
            "momentum": state.get("momentum_buffer"),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what ``state_dict`` gave."""
        self.flat.data.copy_(state["weights"])
        momentum = state["momentum"]
        if momentum is None:
            self._optimizer.state.clear()
        else:
            self._optimizer.state[self.flat]["momentum_buffer"] = momentum.clone().to(
                self.flat
            )
