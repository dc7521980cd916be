"""One copy of the supernet's weights, in one flat vector, with its optimiser.

The zeroth-order estimator trains two copies from the same state. Flat vectors make
"the same state" one copy of weights and momentum, and "their difference" one
subtraction. The published code let the copies differ in momentum and in its kind; that
mismatch drowned its signal.

Mixtures hold for a window, so which candidates have probability is read once a window,
and no training step waits for a device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet, Support, support_of
from zonas_edge.space import SearchSpace, TaskSpec


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


@dataclass(frozen=True, eq=False)
class Judged:
    """What one batch says of a copy.

    Args:
        loss: cross-entropy [nats], detached.
        weight_gradient: its gradient by the weights, not clipped.
    """

    loss: Float[Tensor, ""]
    weight_gradient: Float[Tensor, "weights"]


@dataclass(frozen=True, eq=False)
class _Held:
    """A mixture that holds for a window, its support as numbers, a learning rate."""

    mixture: Mixture[Tensor]
    support: Support
    rate: float


class WeightCopy:
    """A supernet whose parameters and gradients are views of two flat vectors."""

    def __init__(self, supernet: Supernet, settings: WeightSettings) -> None:
        self.supernet = supernet
        self._settings = settings
        self._held: _Held | None = None
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

    @classmethod
    def drawn(
        cls,
        space: SearchSpace,
        task: TaskSpec,
        settings: WeightSettings,
        *,
        seed: int,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> "WeightCopy":
        """A copy with initial weights; the same seed draws the same."""
        draw = torch.Generator().manual_seed(seed)
        return cls(Supernet(space, task, draw).to(device, dtype), settings)

    # -- one window -------------------------------------------------------------

    def hold(self, mixture: Mixture[Tensor], rate: float) -> None:
        """Train under these from now on.

        Args:
            mixture: without gradient.
            rate: learning rate.
        """
        self._held = _Held(mixture, support_of(mixture), rate)

    def train(
        self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, "n"]
    ) -> Float[Tensor, ""]:
        """One training step under what is held; the loss before it [nats], detached."""
        held = self._held
        if held is None:
            raise ValueError("no window is open")
        logits = self.supernet(images, held.mixture, held.support)
        loss = functional.cross_entropy(logits, labels)
        self.step(loss, held.rate)
        return loss.detach()

    def judge(
        self,
        images: Float[Tensor, "n c h w"],
        labels: Int64[Tensor, "n"],
        mixture: Mixture[Tensor],
    ) -> Judged:
        """Cross-entropy of a batch, and its gradient by the weights.

        Args:
            images: normalised.
            labels: their classes.
            mixture: if it has a gradient, what it was made from receives its own.
        """
        self.zero_gradient()
        loss = functional.cross_entropy(self.supernet(images, mixture), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return Judged(loss.detach(), self.gradient())

    def slope(
        self,
        images: Float[Tensor, "n c h w"],
        labels: Int64[Tensor, "n"],
        mixture: Mixture[Tensor],
        vector: Float[Tensor, "alphas"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "alphas"]]:
        """Cross-entropy of a batch, and its gradient by alpha alone, which is cheaper.

        Args:
            images: normalised.
            labels: their classes.
            mixture: made from ``vector``.
            vector: alpha.
        """
        loss = functional.cross_entropy(self.supernet(images, mixture), labels)
        # a mixture that is certain of nothing but NONE passes no gradient on
        (gradient,) = torch.autograd.grad(
            loss, vector, allow_unused=True, materialize_grads=True
        )
        return loss.detach(), gradient

    # -- steps ------------------------------------------------------------------

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
        nn.utils.clip_grad_norm_([self.flat], self._settings.clip)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()

    def foreseen(
        self, gradient: Float[Tensor, "weights"], rate: float
    ) -> Float[Tensor, "weights"]:
        """Weights after one step as DARTS foresees it: momentum as it is, no clipping.

        Args:
            gradient: of the training loss at these weights.
            rate: learning rate.
        """
        momentum = self.state_dict()["momentum"]
        step = gradient + self._settings.decay * self.flat.data
        if momentum is not None:
            step = step + self._settings.momentum * momentum
        found: Tensor = self.flat.data - rate * step
        return found

    @contextmanager
    def elsewhere(self, weights: Float[Tensor, "weights"]) -> Iterator[None]:
        """Stand at other weights for a while, and then again exactly where it was."""
        before = self.flat.data.clone()
        self.flat.data.copy_(weights)
        try:
            yield
        finally:
            self.flat.data.copy_(before)

    # -- state ------------------------------------------------------------------

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
        """Copy what ``state_dict`` gave; an open window is to be held anew."""
        self._held = None
        self.flat.data.copy_(state["weights"])
        momentum = state["momentum"]
        if momentum is None:
            self._optimizer.state.clear()
        else:
            self._optimizer.state[self.flat]["momentum_buffer"] = momentum.clone().to(
                self.flat
            )
