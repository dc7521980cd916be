"""A supernet that stands still in a phase of a search, to try windows from."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import commandline
import torch
from cases import WINDOW, Phase
from torch import Tensor
from torch.nn import functional

from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.data.dataset import Dataset
from zonas_edge.pipeline.request import halves
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.feed import Feed, SearchData
from zonas_edge.search.hypergradient import HybridEstimator, PaperEstimator
from zonas_edge.search.weights import WeightCopy, WeightSettings
from zonas_edge.search.window import Batch, Window
from zonas_edge.space import SearchSpace

WIDE = 0.2
"""A radius four times the default's floor."""
PRECISION = torch.float64
"""As the published method computes, whose radius is below float32's rounding."""


@dataclass(frozen=True)
class Draw:
    """A draw of what a window is made of."""

    training: Sequence[Batch]
    validation: Batch


@dataclass(frozen=True, eq=False)
class Seen:
    """What one draw shows along one direction.

    Args:
        truth: central difference of the large sample's loss.
        direct: slope through alpha.
        direct_gradient: of which that is a component.
        implicit: slope through the weights, by name of the estimator.
    """

    truth: float
    direct: float
    direct_gradient: Tensor
    implicit: dict[str, float]


class Standpoint:
    """A supernet in a phase of a search, from which windows are tried.

    Args:
        phase: which.
        rate: of the weights.
        dataset: whose train split is halved.
        arguments: of the command line.
    """

    def __init__(
        self,
        phase: Phase,
        rate: float,
        dataset: Dataset,
        arguments: argparse.Namespace,
    ) -> None:
        self._window = Window(phase.temperature, rate, phase.sizes)
        device = arguments.device
        draw = torch.Generator().manual_seed(0)
        train = DeviceSplit.of(dataset.train, device)
        for_weights, for_alphas = halves(dataset, 0)
        data = SearchData(
            train.take(for_weights),
            train.take(for_alphas),
            Normalisation.of(dataset.train),
        )
        self._feed = Feed(
            data,
            batch_size=arguments.batch,
            flip=False,
            generator=draw,
            dtype=PRECISION,
        )
        few = torch.randperm(len(data.alphas), generator=draw)[: arguments.large]
        large = data.alphas.take(few)
        images = data.normalisation.apply(large.images).to(PRECISION)
        self._large = (images, large.labels)
        space = SearchSpace(arguments.channels, arguments.depth)
        self._generator = draw
        vector = Alphas.draw(space, draw, PRECISION).vector.to(device)
        self.alphas = Alphas(vector.requires_grad_(), space)
        self.copy, self.other = (
            WeightCopy.drawn(
                space,
                dataset.task,
                WeightSettings(),
                seed=0,
                device=device,
                dtype=PRECISION,
            )
            for _ in range(2)
        )
        for number in range(arguments.warmup):
            if number % 10 == 0:
                commandline.tell(f"{phase.name}: training, window {number + 1}")
            self._train(self.copy, self.draw(), None)
        state = self.copy.state_dict()
        self._state = {name: part.clone() for name, part in state.items()}

    def draw(self) -> Draw:
        """A new draw of batches."""
        order = self._feed.order()
        steps = [step % self._feed.steps for step in range(WINDOW)]
        return Draw(
            [self._feed.train(order, step) for step in steps], self._feed.validation()
        )

    def direction(self) -> Tensor:
        """A random unit vector."""
        return self.alphas.direction(self._generator, sizes=self._window.sizes).detach()

    @property
    def entries(self) -> int:
        """Entries of alpha that are searched."""
        return self.alphas.active(sizes=self._window.sizes)

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

    def _train(self, copy: WeightCopy, draw: Draw, shift: Tensor | None) -> None:
        copy.hold(self._window.fixed(self.alphas, shift), self._window.rate)
        for batch in draw.training:
            copy.train(batch.images, batch.labels)

    def _trained(self, draw: Draw, shift: Tensor) -> Tensor:
        self.other.load_state_dict(self._state)
        self._train(self.other, draw, shift)
        return self.other.flat.data.clone()

    @torch.no_grad()
    def _large_loss(self, shift: Tensor) -> float:
        """Of the other copy, at alpha moved by ``shift``."""
        mixture = self._window.fixed(self.alphas, shift)
        images, labels = self._large
        losses = [
            functional.cross_entropy(self.other.supernet(part, mixture), wanted)
            for part, wanted in zip(images.split(64), labels.split(64), strict=True)
            if len(wanted) > 1
        ]
        return float(torch.stack(losses).mean())

    def seen(self, draw: Draw, directions: Sequence[Tensor]) -> list[Seen]:
        """What a draw shows along every direction."""
        self.copy.load_state_dict(self._state)
        self._train(self.copy, draw, None)
        vector = self.alphas.vector
        vector.grad = torch.zeros_like(vector)
        batch = draw.validation
        judged = self.copy.judge(
            batch.images, batch.labels, self._window.mixture(self.alphas)
        )
        gradient, base = judged.weight_gradient, self.copy.flat.data.clone()
        partial = vector.grad.clone()
        radii, found = self.radii(), []
        for direction in directions:
            implicit: dict[str, float] = {}
            for name, radius in radii.items():
                ahead = self._trained(draw, radius * direction)
                implicit[name] = float(gradient @ (ahead - base) / radius)
            # the last radius is the wide one, and the other copy stands there
            shift = WIDE * direction
            above = self._large_loss(shift)
            behind = self._trained(draw, -shift)
            truth = (above - self._large_loss(-shift)) / (2 * WIDE)
            slope = gradient @ (ahead - behind) / (2 * WIDE)
            implicit["wide radius, two-sided"] = float(slope)
            found.append(Seen(truth, float(partial @ direction), partial, implicit))
        return found
