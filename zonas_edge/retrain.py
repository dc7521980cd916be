"""Retraining: the chosen network, from scratch, on the train split.

The clean protocol: the network learns from train alone, the
epoch is chosen on val, and the test split plays no part.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zonas_edge.blueprint import Blueprint
from zonas_edge.data.batches import DeviceData
from zonas_edge.learner import Learner, Recipe, steps_per_epoch
from zonas_edge.space import TaskSpec


@dataclass(frozen=True, kw_only=True)
class RetrainSettings(Recipe):
    """Every figure that retraining depends on.

    Args:
        epochs: passes over the train split, >= 1.
    """

    epochs: int


@dataclass(frozen=True)
class RetrainRecord:
    """One epoch as ``retrain.jsonl`` tells it.

    Args:
        epoch: number, from 1.
        train_loss: mean over the batches, smoothing included [nats].
        val_loss: cross-entropy of the averaged weights on val [nats].
        val_accuracy: of the averaged weights, 0 to 1.
        best_epoch: the epoch chosen so far.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    best_epoch: int


class Retraining:
    """One retraining, advanced an epoch at a time.

    Args:
        architecture: simplified and connected, or a reference network.
        task: image shape and classes.
        data: train is learned from, val chooses the epoch.
        settings: everything else.
    """

    def __init__(
        self,
        architecture: Blueprint,
        task: TaskSpec,
        *,
        data: DeviceData,
        settings: RetrainSettings,
    ) -> None:
        self.settings = settings
        self.epoch = 0
        self.best: RetrainRecord | None = None
        self._val = data.val
        self._steps = steps_per_epoch(len(data.train), settings)
        self._learner = Learner(
            architecture,
            task,
            train=data.train,
            normalisation=data.normalisation,
            recipe=settings,
            steps=self._steps * settings.epochs,
        )
        self._best_weights: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        """True after the last epoch."""
        return self.epoch >= self.settings.epochs

    @property
    def weights(self) -> dict[str, Tensor]:
        """State of the network at the chosen epoch, averaged."""
        return self._best_weights

    def run_epoch(self) -> RetrainRecord:
        """Train for one pass, then judge the averaged weights on val."""
        train_loss = self._learner.learn(self._steps)
        self.epoch += 1
        loss, accuracy = self._learner.judge(self._val)
        better = self.best is None or loss < self.best.val_loss
        record = RetrainRecord(
            epoch=self.epoch,
            train_loss=train_loss,
            val_loss=loss,
            val_accuracy=accuracy,
            best_epoch=self.epoch
            if better or self.best is None
            else self.best.best_epoch,
        )
        if better:
            self.best = record
            self._best_weights = self._learner.weights()
        return record

    def state_dict(self) -> dict[str, Any]:
        """All of the state: tensors and numbers only."""
        return {
            "epoch": self.epoch,
            "learner": self._learner.state_dict(),
            "best": None if self.best is None else dict(vars(self.best)),
            "best_weights": self._best_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, with the same data and settings."""
        self.epoch = state["epoch"]
        self._learner.load_state_dict(state["learner"])
        self.best = None if state["best"] is None else RetrainRecord(**state["best"])
        self._best_weights = state["best_weights"]
