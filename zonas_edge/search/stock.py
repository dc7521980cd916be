"""Whether a search has decided: what it says after each epoch, and since when."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zonas_edge.architecture import Mixture, Probabilities
from zonas_edge.search.record import agree, confidence
from zonas_edge.search.settings import SearchSettings
from zonas_edge.search.window import Answer


class Stock:
    """The decisions at the end of the latest epoch, and for how long they have stood.

    Args:
        settings: when a search may stop.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._decisions: Probabilities | None = None
        self.stable = 0

    def take(self, mixture: Probabilities) -> None:
        """See whether an epoch has changed a decision."""
        before = self._decisions
        unchanged = before is not None and agree(before, mixture)
        self.stable = self.stable + 1 if unchanged else 0
        self._decisions = mixture

    def settled(self, mixture: Probabilities, epoch: int, *, sizes: bool) -> bool:
        """True if no decision is left open (the rule is in ``SearchSettings``).

        Args:
            mixture: the probabilities now.
            epoch: epochs that are done.
            sizes: True if kernels and depths are searched.
        """
        s = self._settings
        if self._decisions is None or sizes is not s.method.sizes:
            return False
        earliest = (s.method.schedule.size_phase + s.settling) * s.epochs
        maximum, _ = confidence(mixture, sizes=sizes)
        return (
            epoch >= earliest - 1e-9
            and self.stable >= math.ceil(s.patience * s.epochs)
            and maximum >= s.confidence
        )

    def state_dict(self) -> dict[str, Any]:
        """All of the state."""
        found = self._decisions
        parts = () if found is None else (found.op, found.kernel, found.depth)
        return {
            "stable": self.stable,
            "decisions": [torch.from_numpy(part) for part in parts],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what ``state_dict`` gave."""
        self.stable = state["stable"]
        parts = [part.cpu().numpy() for part in state["decisions"]]
        self._decisions = Mixture(*parts) if parts else None


def means(losses: Sequence[Tensor], answers: Sequence[Answer]) -> dict[str, Any]:
    """What a record says of an epoch's steps.

    Args:
        losses: of the training batches [nats]; at least one.
        answers: of the steps of alpha.
    """
    slopes = [a.implicit_slope for a in answers if a.implicit_slope is not None]
    return {
        "train_loss": float(torch.stack(list(losses)).mean()),
        "validation_loss": _mean([answer.loss for answer in answers]),
        "implicit_slope": _mean(slopes),
        "direct_norm": _mean([answer.direct_norm for answer in answers]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
