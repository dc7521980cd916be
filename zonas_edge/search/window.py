"""A window: some training steps and one step of alpha, under schedules that hold.

What differs between methods is hidden behind ``Engine``: how many copies of the weights
there are, and what they tell of alpha at the window's step. The loop sees nothing else.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import Alphas, detached


@dataclass
class Window:
    """What stays the same for the steps of a window, and how many are done.

    Args:
        temperature: divisor of alpha.
        rate: learning rate of the weights.
        sizes: True if kernels and depths are searched.
        steps: training steps so far.
        direction: unit vector in which the twin's alpha is moved; None without a twin.
        radius: how far.
    """

    temperature: float
    rate: float
    sizes: bool
    steps: int = 0
    direction: Tensor | None = None
    radius: float = 0.0

    def mixture(self, alphas: Alphas) -> Mixture[Tensor]:
        """Probabilities at alpha, with gradient."""
        return alphas.mixture(self.temperature, sizes=self.sizes)

    def fixed(
        self, alphas: Alphas, shift: Float[Tensor, "alphas"] | None = None
    ) -> Mixture[Tensor]:
        """The same without gradient, at alpha or moved by ``shift``."""
        mixture = alphas.mixture(self.temperature, sizes=self.sizes, shift=shift)
        return detached(mixture)


@dataclass(frozen=True)
class Batch:
    """Images of a step, augmented and normalised, and their classes."""

    images: Float[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]


@dataclass(frozen=True)
class Question:
    """What is asked at a window's step of alpha.

    Args:
        alphas: where alpha stands.
        window: under which schedules.
        train: the training batch that was stepped on last or, for methods that step
            alpha first, is stepped on next.
        validation: a batch of the alphas' half.
        penalty: gradient of the budget's penalty, where that is part of the loss.
    """

    alphas: Alphas
    window: Window
    train: Batch
    validation: Batch
    penalty: Float[Tensor, "alphas"]


@dataclass(frozen=True)
class Answer:
    """How alpha should move.

    Args:
        loss: of the validation batch [nats].
        gradient: what Adam descends.
        direct_norm: norm of the direct gradient.
        implicit_slope: size of the slope along the direction that goes through the
            weights; None for methods without a twin.
    """

    loss: float
    gradient: Float[Tensor, "alphas"]
    direct_norm: float
    implicit_slope: float | None = None


@runtime_checkable
class Engine(Protocol):
    """The weights of a search, and what they tell of alpha."""

    @property
    def supernet(self) -> Supernet:
        """The network with the weights trained so far."""

    def open(self, alphas: Alphas, window: Window) -> None:
        """Begin a window; one that moves a twin writes its direction into it."""

    def hold(self, alphas: Alphas, window: Window) -> None:
        """Go on with a window that was open when the state was taken."""

    def step(self, batch: Batch) -> Float[Tensor, ""]:
        """Train on a batch; the loss [nats], detached."""

    def answer(self, question: Question) -> Answer:
        """Say how alpha should move, and leave the weights as they are."""

    def state_dict(self) -> dict[str, Any]:
        """Weights and momenta."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what ``state_dict`` gave."""
