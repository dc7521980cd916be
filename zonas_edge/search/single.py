"""The engine of the methods that need one copy of the weights.

What the copy tells of alpha is one of three gradients: the direct one of a validation
batch (first-order DARTS), the sum of those of a training and a validation batch
(MiLeNAS), or the one through a training step that is only foreseen (second-order
DARTS).

Source: DARTS (arXiv:1806.09055, equations 5 to 8), MiLeNAS (arXiv:2003.12238).
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.method import EstimatorName
from zonas_edge.search.weights import WeightCopy
from zonas_edge.search.window import Answer, Batch, Question, Window

DISTANCE = 0.01
"""How far the weights are moved, along the validation gradient, to see how alpha's
training gradient changes; the figure of the DARTS paper."""

Told = tuple[Tensor, Tensor, Tensor]
"""Validation loss, its direct gradient by alpha, and the whole gradient."""


class Single:
    """One copy of the weights, and a way to ask it about alpha.

    Args:
        copy: the weights.
        estimator: ``direct``, ``mixed`` or ``unrolled``; ``none`` is never asked.
    """

    def __init__(self, copy: WeightCopy, estimator: EstimatorName) -> None:
        self._copy = copy
        self._estimator = estimator

    @property
    def supernet(self) -> Supernet:
        """The copy's network."""
        return self._copy.supernet

    def open(self, alphas: Alphas, window: Window) -> None:
        """Train under alpha as it stands."""
        self.hold(alphas, window)

    def hold(self, alphas: Alphas, window: Window) -> None:
        """Go on with a window that was open when the state was taken."""
        self._copy.hold(window.fixed(alphas), window.rate)

    def step(self, batch: Batch) -> Float[Tensor, ""]:
        """Train on a batch; the loss [nats], detached."""
        return self._copy.train(batch.images, batch.labels)

    def answer(self, question: Question) -> Answer:
        """The gradient of this engine's estimator, and the penalty's."""
        loss, direct, gradient = _GRADIENTS[self._estimator](self._copy, question)
        return Answer(
            loss=float(loss),
            gradient=gradient + question.penalty,
            direct_norm=float(direct.norm()),
        )

    def state_dict(self) -> dict[str, Any]:
        """Weights and momentum, as the base of a pair has them."""
        return {"base": self._copy.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what ``state_dict`` gave; an open window is to be held anew."""
        self._copy.load_state_dict(state["base"])


def _slope(copy: WeightCopy, question: Question, batch: Batch) -> tuple[Tensor, Tensor]:
    """A batch's loss and its gradient by alpha, at the weights as they stand."""
    mixture = question.window.mixture(question.alphas)
    return copy.slope(batch.images, batch.labels, mixture, question.alphas.vector)


def direct(copy: WeightCopy, question: Question) -> Told:
    """First-order DARTS: the weights are taken as they are."""
    loss, found = _slope(copy, question, question.validation)
    return loss, found, found


def mixed(copy: WeightCopy, question: Question) -> Told:
    """MiLeNAS: the training loss counts for alpha as much as the validation loss."""
    loss, found = _slope(copy, question, question.validation)
    _, training = _slope(copy, question, question.train)
    return loss, found, found + training


def unrolled(copy: WeightCopy, question: Question, distance: float = DISTANCE) -> Told:
    """Second-order DARTS: the validation loss after one training step.

    The step is ``w' = w - rate * d(Ltr)/dw``, so the gradient by alpha is the direct
    one at ``w'``, less ``rate`` times the mixed second derivative of the training loss
    along the validation gradient ``v`` at ``w'``. That product is a central difference
    over the weights, ``w +- distance / |v| * v``.

    Args:
        copy: the weights, which end as they began.
        question: what is asked.
        distance: how far the weights are moved for the difference, > 0.
    """
    alphas, window, train = question.alphas, question.window, question.train
    start = copy.flat.detach().clone()
    step = copy.judge(train.images, train.labels, window.fixed(alphas))
    vector = alphas.vector
    vector.grad = torch.zeros_like(vector)
    with copy.elsewhere(copy.foreseen(step.weight_gradient, window.rate)):
        batch = question.validation
        judged = copy.judge(batch.images, batch.labels, window.mixture(alphas))
    first = vector.grad.clone()
    v = judged.weight_gradient
    norm = float(v.norm())
    if norm == 0:
        return judged.loss, first, first
    length = distance / norm
    sides = []
    for moved in (length, -length):
        with copy.elsewhere(start + moved * v):
            sides.append(_slope(copy, question, train)[1])
    second = (sides[0] - sides[1]) / (2 * length)
    return judged.loss, first, first - window.rate * second


_GRADIENTS: Mapping[EstimatorName, Callable[[WeightCopy, Question], Told]] = {
    EstimatorName.DIRECT: direct,
    EstimatorName.MIXED: mixed,
    EstimatorName.UNROLLED: unrolled,
}
