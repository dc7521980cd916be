"""A supernet that stands still in a phase of a search, to try windows from."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import commandline
import torch
from cases import WINDOW, Phase
from torch import Tensor
from torch.nn import functional

from zonas_edge.architecture import Mixture
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.data.load import load_dataset
from zonas_edge.search.alphas import Alphas, detached
from zonas_edge.search.feed import Feed, SearchData
from zonas_edge.search.hypergradient import HybridEstimator, PaperEstimator
from zonas_edge.search.weights import WeightCopy, WeightSettings
from zonas_edge.search.window import Batch
from zonas_edge.space import SearchSpace

WIDE = 0.2
"""A radius four times the default's floor."""


@dataclass(frozen=True)
class Window:
    """A draw of what a window is made of."""

    training: Sequence[Batch]
    validation: Batch


@dataclass(frozen=True)
class Seen:
    """What one draw shows along one direction.

    Args:
        truth: central difference of the large sample's loss.
        direct: slope through alpha.
        direct_norm: of the direct gradient.
        implicit: slope through the weights, by name of the estimator.
    """

    truth: float
    direct: float
    direct_norm: float
    implicit: dict[str, float]


class Standpoint:
    """A supernet in a phase of a search, from which windows are tried.

    Args:
        phase: which.
        rate: of the weights.
        arguments: of the command line.
    """

    def __init__(
        self, phase: Phase, rate: float, arguments: argparse.Namespace
    ) -> None:
        self.phase, self.rate = phase, rate
        dataset = load_dataset(
            arguments.dataset, data_dir=arguments.data_dir, offline=True
        )
        device = arguments.device
        draw = torch.Generator().manual_seed(0)
        train = DeviceSplit.of(dataset.train, device)
        order = torch.randperm(len(train), generator=draw)
        half = len(train) // 2
        data = SearchData(
            train.take(order[:half]),
            train.take(order[half:]),
            Normalisation.of(dataset.train),
        )
        self._feed = Feed(
            data,
            batch_size=arguments.batch,
            flip=False,
            generator=draw,
            dtype=torch.float32,
        )
        few = torch.randperm(len(data.alphas), generator=draw)[: arguments.large]
        large = data.alphas.take(few)
        self._large = (data.normalisation.apply(large.images), large.labels)
        space = SearchSpace(arguments.channels, arguments.depth)
        self._draw = draw
        vector = Alphas.draw(space, draw, torch.float32).vector.to(device)
        self.alphas = Alphas(vector.requires_grad_(), space)
        self.copy, self.other = (
            WeightCopy.drawn(
                space,
                dataset.task,
                WeightSettings(),
                seed=0,
                device=device,
                dtype=torch.float32,
            )
            for _ in range(2)
        )
        for number in range(arguments.warmup):
            if number % 10 == 0:
                commandline.tell(f"{phase.name}: training, window {number + 1}")
            self._train(self.copy, self.window(), None)
        state = self.copy.state_dict()
        self._state = {name: part.clone() for name, part in state.items()}

    def window(self) -> Window:
        """A new draw of batches."""
        order = self._feed.order()
        steps = [step % self._feed.steps for step in range(WINDOW)]
        return Window(
            [self._feed.train(order, step) for step in steps], self._feed.validation()
        )

    def direction(self) -> Tensor:
        """A random unit vector."""
        return self.alphas.direction(self._draw, sizes=self.phase.sizes).detach()

    @property
    def entries(self) -> int:
        """Entries of alpha that are searched."""
        return self.alphas.active(sizes=self.phase.sizes)

    def radii(self) -> dict[str, float]:
        """Those that are tried."""
        vector = self.alphas.vector.detach()
        norms = (
            float(vector[: self.alphas.active(sizes=False)].norm()),
            float(vector[: self.entries].norm()),
        )
        return {
            "published radius": PaperEstimator().radius(*norms),
            "default radius": HybridEstimator().radius(*norms),
            "wide radius": WIDE,
        }

    def _mixture(self, shift: Tensor | None) -> Mixture[Tensor]:
        return self.alphas.mixture(
            self.phase.temperature, sizes=self.phase.sizes, shift=shift
        )

    def _train(self, copy: WeightCopy, window: Window, shift: Tensor | None) -> None:
        copy.hold(detached(self._mixture(shift)), self.rate)
        for batch in window.training:
            copy.train(batch.images, batch.labels)

    def _trained(self, window: Window, shift: Tensor) -> Tensor:
        self.other.load_state_dict(self._state)
        self._train(self.other, window, shift)
        return self.other.flat.data.clone()

    @torch.no_grad()
    def _large_loss(self, shift: Tensor) -> float:
        """Of the other copy, at alpha moved by ``shift``."""
        mixture = detached(self._mixture(shift))
        images, labels = self._large
        losses = [
            functional.cross_entropy(self.other.supernet(part, mixture), wanted)
            for part, wanted in zip(images.split(64), labels.split(64), strict=True)
            if len(wanted) > 1
        ]
        return float(torch.stack(losses).mean())

    def seen(self, window: Window, directions: Sequence[Tensor]) -> list[Seen]:
        """What a draw shows along every direction."""
        self.copy.load_state_dict(self._state)
        self._train(self.copy, window, None)
        vector = self.alphas.vector
        vector.grad = torch.zeros_like(vector)
        judged = self.copy.judge(
            window.validation.images, window.validation.labels, self._mixture(None)
        )
        direct, base = vector.grad.clone(), self.copy.flat.data.clone()
        found = []
        for direction in directions:
            implicit: dict[str, float] = {}
            truth = math.nan
            for name, radius in self.radii().items():
                shift = radius * direction
                ahead = self._trained(window, shift)
                loss = self._large_loss(shift)
                slope = judged.weight_gradient @ (ahead - base) / radius
                implicit[name] = float(slope)
                if name == "wide radius":
                    behind = self._trained(window, -shift)
                    truth = (loss - self._large_loss(-shift)) / (2 * radius)
                    slope = judged.weight_gradient @ (ahead - behind) / (2 * radius)
                    implicit["wide radius, two-sided"] = float(slope)
            along, norm = float(direct @ direction), float(direct.norm())
            found.append(Seen(truth, along, norm, implicit))
        return found
