"""Retraining: the chosen network, from scratch, on the train split.

The clean protocol (section 9.3 of the design): the network learns from train alone, the
epoch is chosen on val, and the test split plays no part. The recipe is for small
medical sets: AdamW with warm-up and cosine, label smoothing, mixup or cutmix on some
of the batches, and an average of the weights, which val judges and the device gets.

Sources: Loshchilov & Hutter (2019) AdamW; Zhang et al. (2018) mixup; Yun et al. (2019)
cutmix; Tarvainen & Valpola (2017) for averaged weights.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from zonas_edge.blueprint import Blueprint
from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    batch_of,
    crop_padding,
    epoch_order,
)
from zonas_edge.nn.build import build
from zonas_edge.nn.evaluate import evaluate
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec

_LARGEST_BATCH = 128


@dataclass(frozen=True)
class RetrainSettings:
    """Every figure that retraining depends on.

    Args:
        epochs: passes over the train split, >= 1.
        batch_size: images a step.
        seed: of weights, order, augmentation and mixing.
        flip: mirrored images keep their class.
        rate: highest learning rate (AdamW).
        decay: weight decay of convolutions and classifier; norms and biases have none.
        warmup: fraction of the steps in which the rate rises.
        smoothing: share of the label given to all classes alike.
        mixed: probability that a batch is mixed, by mixup or cutmix in equal parts.
        average: horizon of the averaged weights as a fraction of the steps.
    """

    epochs: int
    batch_size: int
    seed: int
    flip: bool
    rate: float = 3e-3
    decay: float = 0.05
    warmup: float = 0.05
    smoothing: float = 0.1
    mixed: float = 0.5
    average: float = 0.02

    def rate_at(self, progress: float) -> float:
        """Learning rate at a fraction of the steps: linear warm-up, then a cosine."""
        if progress < self.warmup:
            return self.rate * progress / self.warmup
        done = (progress - self.warmup) / (1 - self.warmup)
        return self.rate * (1 + math.cos(math.pi * done)) / 2


def default_batch(images: int) -> int:
    """The largest power of two up to 128 that gives at least 16 steps an epoch."""
    least = 2  # a batch normalisation needs two
    return batch_of(images, largest=_LARGEST_BATCH, least=least)


@dataclass(frozen=True)
class RetrainRecord:
    """One epoch as ``retrain.jsonl`` tells it.

    Args:
        epoch: number, from 1.
        train_loss: mean over the batches, smoothing and mixing included [nats].
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
        train: images to learn from.
        val: images that choose the epoch.
        normalisation: of the train split.
        settings: everything else.
    """

    def __init__(
        self,
        architecture: Blueprint,
        task: TaskSpec,
        *,
        train: DeviceSplit,
        val: DeviceSplit,
        normalisation: Normalisation,
        settings: RetrainSettings,
    ) -> None:
        self.settings = settings
        self.epoch = 0
        self.best: RetrainRecord | None = None
        self._train, self._val = train, val
        self._normalisation = normalisation
        device = train.images.device
        draw = torch.Generator().manual_seed(
            derived_seed(settings.seed, "retrain weights")
        )
        self._network = build(architecture, task, draw).to(device)
        self._generator = torch.Generator().manual_seed(
            derived_seed(settings.seed, "retrain")
        )
        self._averaged = AveragedModel(
            self._network, multi_avg_fn=self._lerp, use_buffers=True
        )
        decayed = [p for p in self._network.parameters() if p.ndim > 1]
        plain = [p for p in self._network.parameters() if p.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": settings.decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=settings.rate,
            fused=True,
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

    @property
    def _steps(self) -> int:
        return max(1, len(self._train) // self.settings.batch_size)

    def run_epoch(self) -> RetrainRecord:
        """Train for one pass, then judge the averaged weights on val."""
        size = min(self.settings.batch_size, len(self._train))
        order = epoch_order(len(self._train), self._generator)
        self._network.train()
        losses = []
        for step in range(self._steps):
            progress = (self.epoch + (step + 1) / self._steps) / self.settings.epochs
            for group in self._optimizer.param_groups:
                group["lr"] = self.settings.rate_at(progress)
            losses.append(self._train_step(order[step * size : (step + 1) * size]))
        self.epoch += 1
        loss, accuracy = evaluate(self._averaged, self._val, self._normalisation)
        better = self.best is None or loss < self.best.val_loss
        record = RetrainRecord(
            epoch=self.epoch,
            train_loss=float(torch.stack(losses).mean()),
            val_loss=loss,
            val_accuracy=accuracy,
            best_epoch=self.epoch
            if better or self.best is None
            else self.best.best_epoch,
        )
        if better:
            self.best = record
            state = self._averaged.module.state_dict()
            self._best_weights = {name: value.clone() for name, value in state.items()}
        return record

    def _train_step(self, indices: Tensor) -> Tensor:
        part = self._train.take(indices)
        images = augment(
            part.images,
            self._generator,
            padding=crop_padding(*part.images.shape[2:]),
            flip=self.settings.flip,
        )
        normalised = self._normalisation.apply(images)
        mixed, partner, share = mix(normalised, self._generator, self.settings.mixed)
        logits = self._network(mixed)
        smoothing = self.settings.smoothing
        loss = share * functional.cross_entropy(
            logits, part.labels, label_smoothing=smoothing
        ) + (1 - share) * functional.cross_entropy(
            logits, part.labels[partner], label_smoothing=smoothing
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._averaged.update_parameters(self._network)
        return loss.detach()

    def _lerp(self, averages: Any, currents: Any, count: Any) -> None:
        """Move the averaged weights towards the current ones."""
        horizon = max(1.0, self.settings.average * self._steps * self.settings.epochs)
        # early on the horizon is all that has been seen, so that the first, random
        # weights are forgotten
        share = max(1 / horizon, 1 / (1 + float(count)))
        # torch calls this once a type; batch counters are no averages
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, share)
        else:
            torch._foreach_copy_(averages, currents)

    def state_dict(self) -> dict[str, Any]:
        """All of the state: tensors and numbers only."""
        return {
            "epoch": self.epoch,
            "network": self._network.state_dict(),
            "averaged": self._averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "best": None if self.best is None else dict(vars(self.best)),
            "best_weights": self._best_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, with the same data and settings."""
        self.epoch = state["epoch"]
        self._network.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self.best = None if state["best"] is None else RetrainRecord(**state["best"])
        self._best_weights = state["best_weights"]


def averaged_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The averaged weights in a state, which are what val has judged at its epoch.

    Args:
        state: of ``Retraining.state_dict``.
    """
    inner = "module."
    return {
        name.removeprefix(inner): value
        for name, value in state["averaged"].items()
        if name.startswith(inner)
    }


def mix(
    images: Float[Tensor, "n c h w"], generator: torch.Generator, probability: float
) -> tuple[Float[Tensor, "n c h w"], Tensor, float]:
    """Mix each image with a partner, by mixup or by cutmix, or leave the batch alone.

    The share is uniform, which is Beta(1, 1) of both papers.

    Returns:
        The images, the partners' places ``[n]``, and the share of an image's own label.
    """
    count, _, height, width = images.shape
    partner = torch.randperm(count, generator=generator)
    chance, kind, share, row, column = torch.rand(5, generator=generator).tolist()
    partner = partner.to(images.device)
    if chance >= probability:
        return images, partner, 1.0
    if kind < 1 / 2:
        return share * images + (1 - share) * images[partner], partner, share
    side = math.sqrt(1 - share)
    top, bottom = _span(row, side, height)
    left, right = _span(column, side, width)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partner, :, top:bottom, left:right]
    share = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, partner, share


def _span(centre: float, side: float, length: int) -> tuple[int, int]:
    """Ends of a stretch of relative length ``side`` about ``centre``, clipped."""
    half = side * length / 2
    return (
        max(0, round(centre * length - half)),
        min(length, round(centre * length + half)),
    )
