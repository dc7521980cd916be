"""A network that learns from labelled images, step by step.

The recipe is for small medical sets and small networks: AdamW with warm-up and cosine,
label smoothing, and an average of the weights, which is what is judged and what the
device gets. Retraining and the candidates' trials share it. Images are not mixed: these
networks fit too little, not too much (benchmarks/LOG.md).

Sources: Loshchilov & Hutter (2019) AdamW; Tarvainen & Valpola (2017) for averaged
weights.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from zonas_edge.blueprint import Blueprint
from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    batch_of,
    batch_within,
    crop_padding,
    epoch_order,
)
from zonas_edge.nn.build import build
from zonas_edge.nn.evaluate import evaluate
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec

_LARGEST_BATCH = 128
_USUAL_BATCH = 32
_MANY_STEPS = 256


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network learns.

    Args:
        batch_size: images a step.
        seed: of weights, order and augmentation.
        flip: mirrored images keep their class.
        rate: highest learning rate (AdamW).
        decay: weight decay of convolutions and classifier; norms and biases have none.
        warmup: fraction of the steps in which the rate rises.
        smoothing: share of the label given to all classes alike.
        average: horizon of the averaged weights as a fraction of the steps.
    """

    batch_size: int
    seed: int
    flip: bool
    rate: float = 3e-3
    decay: float = 0.05
    warmup: float = 0.05
    smoothing: float = 0.1
    average: float = 0.02

    def rate_at(self, progress: float) -> float:
        """Learning rate at a fraction of the steps: linear warm-up, then a cosine."""
        if progress < self.warmup:
            return self.rate * progress / self.warmup
        done = (progress - self.warmup) / (1 - self.warmup)
        return self.rate * (1 + math.cos(math.pi * done)) / 2


def default_batch(images: int, pixels: int) -> int:
    """Batch size of the training.

    32, since small networks learn more of an epoch by many steps (benchmarks/LOG.md).
    Where an epoch has 256 steps all the same, up to 128, with which a GPU is faster,
    unless images of more than 32x32 pixels would take too much memory; and less where
    an epoch would have fewer than 16.

    Args:
        images: of the train split.
        pixels: of an image, height times width.
    """
    largest = batch_within(_LARGEST_BATCH, pixels, least=_USUAL_BATCH)
    usual = batch_of(images, largest=largest, least=_USUAL_BATCH, steps=_MANY_STEPS)
    least = 2  # a batch normalisation needs two
    return batch_of(images, largest=usual, least=least)


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Full batches in a pass over the images, one if there are fewer than a batch."""
    return max(1, images // recipe.batch_size)


class Learner:
    """One network and its optimiser, over a planned number of steps.

    Args:
        blueprint: simplified and connected, or a reference network.
        task: image shape and classes.
        train: images to learn from.
        normalisation: of the train split.
        recipe: how.
        steps: planned; rate and average are spread over them, >= 1.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        task: TaskSpec,
        *,
        train: DeviceSplit,
        normalisation: Normalisation,
        recipe: Recipe,
        steps: int,
    ) -> None:
        self._train, self._normalisation = train, normalisation
        self._recipe, self._steps = recipe, steps
        self._done = 0
        self._order = torch.empty(0, dtype=torch.int64)
        draw = torch.Generator().manual_seed(
            derived_seed(recipe.seed, "retrain weights")
        )
        self._network = build(blueprint, task, draw).to(train.images.device)
        self._generator = torch.Generator().manual_seed(
            derived_seed(recipe.seed, "retrain")
        )
        self._averaged = AveragedModel(
            self._network, multi_avg_fn=self._lerp, use_buffers=True
        )
        decayed = [p for p in self._network.parameters() if p.ndim > 1]
        plain = [p for p in self._network.parameters() if p.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": recipe.decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=recipe.rate,
            fused=True,
        )

    def learn(self, steps: int) -> float:
        """Take some of the planned steps.

        Returns:
            Mean loss over the batches, smoothing included [nats].
        """
        self._network.train()
        losses = []
        for _ in range(steps):
            self._done += 1
            for group in self._optimizer.param_groups:
                group["lr"] = self._recipe.rate_at(self._done / self._steps)
            losses.append(self._step(self._next_batch()))
        return float(torch.stack(losses).mean())

    def judge(self, split: DeviceSplit) -> tuple[float, float]:
        """Cross-entropy [nats] and accuracy of the averaged weights."""
        return evaluate(self._averaged, split, self._normalisation)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged state."""
        state = self._averaged.module.state_dict()
        return {name: value.clone() for name, value in state.items()}

    def _next_batch(self) -> Int64[Tensor, "n"]:
        """Places of the next batch; what is left of an order is passed over."""
        size = min(self._recipe.batch_size, len(self._train))
        if len(self._order) < size:
            self._order = epoch_order(len(self._train), self._generator)
        places, self._order = self._order[:size], self._order[size:]
        return places

    def _step(self, places: Int64[Tensor, "n"]) -> Tensor:
        part = self._train.take(places)
        images = augment(
            part.images,
            self._generator,
            padding=crop_padding(*part.images.shape[2:]),
            flip=self._recipe.flip,
        )
        loss = functional.cross_entropy(
            self._network(self._normalisation.apply(images)),
            part.labels,
            label_smoothing=self._recipe.smoothing,
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._averaged.update_parameters(self._network)
        return loss.detach()

    def _lerp(self, averages: Any, currents: Any, count: Any) -> None:
        """Move the averaged weights towards the current ones."""
        horizon = max(1.0, self._recipe.average * self._steps)
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
            "done": self._done,
            "order": self._order,
            "network": self._network.state_dict(),
            "averaged": self._averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, with the same data and recipe."""
        self._done = state["done"]
        self._order = state["order"].cpu()
        self._network.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())


def averaged_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The averaged weights in a state, which are what is judged.

    Args:
        state: of ``Learner.state_dict``.
    """
    inner = "module."
    return {
        name.removeprefix(inner): value
        for name, value in state["averaged"].items()
        if name.startswith(inner)
    }
