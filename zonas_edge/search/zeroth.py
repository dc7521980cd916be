"""The engine of the zeroth-order methods: a pair of copies, and an estimator.

Source: ZO-DARTS+ (arXiv:2405.03462).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.hypergradient import Estimator, Evidence
from zonas_edge.search.pair import Pair
from zonas_edge.search.window import Answer, Batch, Question, Window


class ZerothOrder:
    """Two copies, one at alpha and one at alpha moved along a random direction.

    Args:
        pair: the copies.
        estimator: what the difference of the two means for alpha.
        generator: draws the directions.
    """

    def __init__(
        self, pair: Pair, estimator: Estimator, generator: torch.Generator
    ) -> None:
        self._pair = pair
        self._estimator = estimator
        self._generator = generator

    @property
    def supernet(self) -> Supernet:
        """The base copy's network."""
        return self._pair.supernet

    def open(self, alphas: Alphas, window: Window) -> None:
        """Draw a direction; the twin starts as the base is."""
        vector, sizes = alphas.vector.detach(), window.sizes
        window.direction = alphas.direction(self._generator, sizes=sizes).detach()
        window.radius = self._estimator.radius(
            float(vector[: alphas.active(sizes=False)].norm()),
            float(vector[: alphas.active(sizes=sizes)].norm()),
        )
        shift = window.radius * window.direction
        self._pair.begin(window.fixed(alphas), window.fixed(alphas, shift), window.rate)

    def hold(self, alphas: Alphas, window: Window) -> None:
        """Go on with a window that was open when the state was taken."""
        shift = window.radius * _direction(window)
        self._pair.hold(window.fixed(alphas), window.fixed(alphas, shift), window.rate)

    def step(self, batch: Batch) -> Float[Tensor, ""]:
        """Train both copies; the base's loss [nats], detached."""
        return self._pair.step(batch.images, batch.labels)

    def answer(self, question: Question) -> Answer:
        """Ask the base copy about a validation batch, and compare the two."""
        window, vector = question.window, question.alphas.vector
        vector.grad = torch.zeros_like(vector)
        batch = question.validation
        judged = self._pair.judge(
            batch.images, batch.labels, window.mixture(question.alphas)
        )
        evidence = Evidence(
            direction=_direction(window),
            radius=window.radius,
            alpha_gradient=vector.grad.clone(),
            penalty_gradient=question.penalty,
            weight_gradient=judged.weight_gradient,
            weight_shift=self._pair.shift(),
        )
        slope = abs(float(evidence.weight_gradient @ evidence.weight_shift))
        return Answer(
            loss=float(judged.loss),
            gradient=self._estimator.gradient(evidence),
            direct_norm=float(evidence.alpha_gradient.norm()),
            implicit_slope=slope / window.radius,
        )

    def state_dict(self) -> dict[str, Any]:
        """Weights and momenta of both copies."""
        return self._pair.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what ``state_dict`` gave; an open window is to be held anew."""
        self._pair.load_state_dict(state)


def _direction(window: Window) -> Tensor:
    if window.direction is None:
        raise ValueError("the window has no direction")
    return window.direction
