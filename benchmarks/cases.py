"""Textbook and engine in the same phase of a search, ready to be timed.

Both get their batches the way they do in use: the textbook from a loader that augments
image by image on the CPU, the engine from images that lie on the device.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from engine import EngineSearch, Pair
from measuring import default_kernels, seconds_of
from mixtures import late_mixtures
from textbook import Batch, Images, TextbookSearch, loader
from textbook_supernet import Supernet
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.cost import expected, mac_table
from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    crop_padding,
    epoch_order,
)
from zonas_edge.search.alphas import OP_ENTRIES, Alphas
from zonas_edge.search.hypergradient import HybridEstimator
from zonas_edge.search.schedule import Schedule
from zonas_edge.search.weights import WeightSettings
from zonas_edge.space import SearchSpace, TaskSpec

WINDOW = 10
"""Pair steps in a window, after which alpha makes one."""
_SEED = 0
_MEAN = _STD = 0.25


@dataclass(frozen=True)
class Phase:
    """A point of a search.

    Args:
        name: ``dense``, ``size`` or ``late``.
        progress: fraction of the search's steps that is done.
        temperature: divisor of alpha.
        alpha: the parameters.
    """

    name: str
    progress: float
    temperature: float
    alpha: Tensor

    @property
    def label(self) -> str:
        """The name, and of a late phase also the percentage of the search."""
        return f"late{100 * self.progress:.0f}" if self.name == "late" else self.name

    @property
    def sizes(self) -> bool:
        """Whether kernels and depths are searched."""
        return self.name != "dense"

    def settings(self) -> dict[str, Any]:
        """Of both searches alike."""
        active = self.alpha if self.sizes else self.alpha[:OP_ENTRIES]
        radius = HybridEstimator().radius(
            float(self.alpha[:OP_ENTRIES].norm()), float(active.norm())
        )
        return {
            "temperature": self.temperature,
            "sizes": self.sizes,
            "radius": radius,
            "rate": Schedule().rate_at(self.progress),
        }


def phases() -> list[Phase]:
    """The 7x7 phase, the size phase, and the late mixtures."""
    draw = torch.Generator().manual_seed(_SEED)
    alpha = Alphas.draw(SearchSpace(), draw, torch.float32).vector
    schedule = Schedule()
    found = [
        Phase(name, progress, schedule.temperature_at(progress), alpha)
        for name, progress in (("dense", 0.0), ("size", schedule.size_phase))
    ]
    return found + [
        Phase("late", late.share, late.temperature, late.alpha().float())
        for late in late_mixtures()[0]
    ]


def live_macs(mixture: Mixture[Tensor], space: SearchSpace, task: TaskSpec) -> float:
    """Multiply-accumulates for one image of all that has probability.

    The expected cost of "each of them for certain", in every cell up to the last exit.
    """
    deepest = torch.zeros_like(mixture.depth)
    for s, row in enumerate(mixture.depth):
        deepest[s, int(row.nonzero().max())] = 1
    certain = Mixture(
        (mixture.op > 0).double(), (mixture.kernel > 0).double(), deepest.double()
    )
    return float(expected(mac_table(space, task), certain))


class Case:
    """Both searches in one phase, at one batch size.

    Args:
        phase: where in a search.
        space: width and depth.
        task: image shape and classes.
        batch: images a step.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self, phase: Phase, space: SearchSpace, task: TaskSpec, batch: int, device: str
    ) -> None:
        self.phase, self.space, self.task = phase, space, task
        self.batch, self.device = batch, device
        pair = Pair(
            space,
            task,
            WeightSettings(),
            seed=_SEED,
            device=torch.device(device),
            dtype=torch.float32,
        )
        network = Supernet(
            space.channels,
            space.max_depth,
            image_channels=task.channels,
            classes=task.classes,
        ).to(device)
        network.load_state_dict(pair.supernet.state_dict())
        alpha = phase.alpha.to(device)
        self.textbook = TextbookSearch(network, alpha, **phase.settings())
        self.engine = EngineSearch(pair, alpha, **phase.settings())
        draw = torch.Generator().manual_seed(_SEED)
        self.direction = self.engine.alphas.direction(draw, sizes=phase.sizes)
        shape = (max(1024, 2 * batch), task.channels, task.height, task.width)
        images = torch.randint(256, shape, generator=draw, dtype=torch.uint8)
        self.images = images
        self.labels = torch.randint(task.classes, shape[:1], generator=draw)

    def textbook_seconds(self, steps: int = WINDOW) -> float:
        """Seconds of a window of the textbook's; see ``_seconds``."""
        with default_kernels():
            return self._seconds(self.textbook, self._loaded, steps)

    def engine_seconds(self, steps: int = WINDOW) -> float:
        """Seconds of a window of the engine's; see ``_seconds``."""
        return self._seconds(self.engine, self._resident, steps)

    def warm_up(self) -> None:
        """Let libraries choose their kernels, and the engine compile or capture.

        On a CPU two images do for the first; a graph is captured at the full size.
        """
        few = 2 if self.device == "cpu" else self.batch
        for search, feed in (
            (self.textbook, self._loaded(few)),
            (self.engine, self._resident(few)),
        ):
            search.begin(self.direction)
            search.pair_step(*next(feed))
            search.alpha_step(*next(feed))

    def _seconds(self, search: Any, feed: Any, steps: int) -> float:
        """Time a window, or a part of it, scaled to a whole one.

        A part is some of its pair steps, the same share of the validation batch, and
        nothing of the copying that opens a window.
        """
        share = steps / WINDOW
        training, validation = feed(self.batch), feed(max(2, int(self.batch * share)))
        with torch.no_grad():
            search.alpha.copy_(self.phase.alpha)
        if steps < WINDOW:
            search.begin(self.direction)

        def window() -> None:
            if steps == WINDOW:
                search.begin(self.direction)
            for _ in range(steps):
                search.pair_step(*next(training))
            search.alpha_step(*next(validation))

        return seconds_of(window, self.device) / share

    def _loaded(self, size: int) -> Iterator[Batch]:
        dataset = Images(self.images, self.labels, mean=_MEAN, std=_STD, flip=True)
        while True:
            for images, labels in loader(dataset, size, seed=_SEED):
                yield images.to(self.device), labels.to(self.device)

    def _resident(self, size: int) -> Iterator[Batch]:
        split = DeviceSplit(self.images.to(self.device), self.labels.to(self.device))
        draw = torch.Generator().manual_seed(_SEED)
        padding = crop_padding(self.task.height, self.task.width)
        while True:
            for places in epoch_order(len(split), draw).split(size):
                part = split.take(places)
                images = augment(part.images, draw, padding=padding, flip=True)
                yield Normalisation(_MEAN, _STD).apply(images), part.labels

    # -- what is computed ---------------------------------------------------------

    def _mixture(self, shift: Tensor | None = None) -> Mixture[Tensor]:
        alphas = Alphas(self.phase.alpha.to(self.device), self.space)
        return alphas.mixture(
            self.phase.temperature, sizes=self.phase.sizes, shift=shift
        )

    @property
    def live_candidates(self) -> float:
        """Share of the candidates that have probability."""
        return float((self._mixture().op > 0).double().mean())

    def floor_gflop(self) -> float:
        """Arithmetic of a window [GFLOP] that no way of computing it avoids.

        Forward, and twice that backward, of what has probability: a window's steps of
        both copies, each with its own mixture, and the validation batch.
        """
        base, twin = (
            live_macs(self._mixture(shift), self.space, self.task)
            for shift in (None, self.engine.radius * self.direction)
        )
        return 6 * self.batch * (WINDOW * (base + twin) + base) / 1e9

    def textbook_gflop(self) -> float:
        """The same of the textbook, which computes every candidate."""
        mixture = self._mixture()
        kernel = mixture.kernel if self.phase.name == "dense" else mixture.kernel + 1
        everything = Mixture(mixture.op + 1, kernel, mixture.depth + 1)
        macs = live_macs(everything, self.space, self.task)
        return 6 * self.batch * (2 * WINDOW + 1) * macs / 1e9
