"""Does the hypergradient's signal survive a lower precision? The same windows in each.

    python benchmarks/slopes.py                  # writes results/, some minutes
    python benchmarks/slopes.py --json
    python benchmarks/slopes.py --device cuda --channels 16 --side 28 --batch 64

A search on the embedded digits runs in float64. Each of its windows (ten training steps
of both copies, one validation batch) is repeated in every other precision from the same
weights, momenta and alpha, with the same batches and direction. What is compared is the
slope of the validation loss along the direction: ``direct`` through alpha, ``implicit``
through the weights, and ``total``. Training amplifies rounding, so single slopes
differ in any precision; sign agreement and correlation over the windows say whether
they still point the same way.

bfloat16 is torch's autocast: weights, momenta, statistics of the normalisations, alpha
and the difference of weights stay in float32. On a CPU without bfloat16 units it is
emulated and slow, hence the small images and networks; at their size no convolution is
computed by spectra.
"""

import argparse
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any

import commandline
import numpy as np
import torch
from cases import WINDOW, Phase, phases
from engine import EngineSearch, Pair
from measuring import cudnn, facts
from torch import Tensor
from torch.nn import functional

from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.data.load import load_dataset
from zonas_edge.search.alphas import Alphas
from zonas_edge.search.hypergradient import slope_along
from zonas_edge.search.weights import WeightSettings
from zonas_edge.space import SearchSpace, TaskSpec

DATASET = "digits"
PHASES = ("dense", "size")
TERMS = ("direct", "implicit", "total")
EXACT = "float64"
CHANNELS, SIDE, BATCH = 4, 8, 16
SHAPE = ("channels", "depth", "side")

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Precision:
    """A way to compute.

    Args:
        dtype: of weights, alpha and images.
        autocast: whether convolutions and products run in bfloat16.
        tf32: whether CUDA may round the factors of float32 products.
    """

    dtype: torch.dtype = torch.float32
    autocast: bool = False
    tf32: bool = False

    def on(self, device: str) -> AbstractContextManager[Any]:
        """Compute so within."""
        # a window changes weights in place, so no cast of them may be kept
        cast = torch.autocast(
            device, torch.bfloat16, enabled=self.autocast, cache_enabled=False
        )
        stack = ExitStack()
        stack.enter_context(cast)
        stack.enter_context(cudnn(allow_tf32=self.tf32))
        return stack


def precisions(device: str) -> dict[str, Precision]:
    """What is compared, the exact one last."""
    found = {"float32": Precision(), "bfloat16": Precision(autocast=True)}
    if device == "cuda":
        found["tf32"] = Precision(tf32=True)
    return found | {EXACT: Precision(torch.float64)}


class Digits:
    """Batches of the embedded digits, made smaller.

    Args:
        side: of the images.
        size: images in a batch.
        device: where they lie.
        draw: decides which.
    """

    def __init__(
        self, side: int, size: int, device: str, draw: torch.Generator
    ) -> None:
        dataset = load_dataset(DATASET, offline=True)
        split = DeviceSplit.of(dataset.train, device)
        images = Normalisation.of(dataset.train).apply(split.images).double()
        self.images = functional.adaptive_avg_pool2d(images, side)
        self.labels, self.size, self._draw = split.labels, size, draw
        self.task = TaskSpec(1, side, side, dataset.task.classes)

    def batch(self) -> Batch:
        """Any images."""
        places = torch.randint(len(self.labels), (self.size,), generator=self._draw)
        places = places.to(self.labels.device)
        return self.images[places], self.labels[places]


def search(
    phase: Phase, space: SearchSpace, task: TaskSpec, dtype: torch.dtype, device: str
) -> EngineSearch:
    """A search that begins in a phase."""
    here = torch.device(device)
    pair = Pair(space, task, WeightSettings(), seed=0, device=here, dtype=dtype)
    draw = torch.Generator().manual_seed(0)
    alpha = Alphas.draw(space, draw, dtype).vector
    own = replace(phase, alpha=alpha)
    return EngineSearch(pair, alpha.to(device), **own.settings())


def follow(one: EngineSearch, leader: EngineSearch) -> None:
    """Put a search where another one is."""
    one.pair.load_state_dict(leader.pair.state_dict())
    with torch.no_grad():
        one.alpha.copy_(leader.alpha)


def slopes_of(
    one: EngineSearch, batches: list[Batch], direction: Tensor, how: Precision
) -> dict[str, float]:
    """Slopes that a window shows, by term."""
    dtype = how.dtype
    *training, validation = [(images.to(dtype), labels) for images, labels in batches]
    with how.on(direction.device.type):
        one.window(training, validation, direction.to(dtype))
    shown = one.evidence
    parts = {"direct": (1, 0), "implicit": (0, 1), "total": (1, 1)}
    return {
        term: float(
            slope_along(
                shown.direction,
                alpha_gradient=direct * shown.alpha_gradient,
                weight_gradient=implicit * shown.weight_gradient,
                weight_shift=shown.weight_shift,
                radius=shown.radius,
            )
        )
        for term, (direct, implicit) in parts.items()
    }


def windows(
    phase: Phase, arguments: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Slopes of every window in every precision."""
    device = arguments.device
    draw = torch.Generator().manual_seed(0)
    digits = Digits(arguments.side, arguments.batch, device, draw)
    space = SearchSpace(arguments.channels, arguments.depth)
    ways = precisions(device)
    searches = {
        name: search(phase, space, digits.task, how.dtype, device)
        for name, how in ways.items()
    }
    leader = searches[EXACT]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(arguments.windows):
        commandline.tell(f"{phase.name}: window {number + 1} of {arguments.windows}")
        direction = leader.alphas.direction(draw, sizes=phase.sizes)
        batches = [digits.batch() for _ in range(WINDOW + 1)]
        for name, how in ways.items():  # the leader last: it goes on from there
            if name != EXACT:
                follow(searches[name], leader)
            found[name].append(slopes_of(searches[name], batches, direction, how))
    return found


def compared(
    phase: str, found: dict[str, list[dict[str, float]]]
) -> list[dict[str, Any]]:
    """How the slopes of each precision go with the exact ones."""
    rows = []
    for name in found.keys() - {EXACT}:
        for term in TERMS:
            exact, other = (
                np.array([slopes[term] for slopes in found[which]])
                for which in (EXACT, name)
            )
            rows.append(
                {
                    "phase": phase,
                    "precision": name,
                    "term": term,
                    "windows": len(exact),
                    "sign_agreement": float(np.mean(np.sign(exact) == np.sign(other))),
                    "correlation": float(np.corrcoef(exact, other)[0, 1]),
                    "error_over_signal": float(
                        np.sqrt(np.mean((other - exact) ** 2) / np.mean(exact**2))
                    ),
                    "signal": float(np.sqrt(np.mean(exact**2))),
                }
            )
    return sorted(rows, key=lambda row: (row["precision"], row["term"]))


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare in both phases."""
    if arguments.device == "cpu":
        # autocast holds for one thread, and with more the twin trains in its own
        torch.set_num_threads(1)
    made = facts(arguments.device)
    found = {
        phase.name: windows(phase, arguments)
        for phase in phases()
        if phase.label in PHASES
    }
    return {
        "schema": 1,
        "benchmark": "slopes",
        "quick": arguments.quick,
        "dataset": DATASET,
        "shape": {key: getattr(arguments, key) for key in SHAPE},
        "batch": arguments.batch,
        "rows": [row for name in found for row in compared(name, found[name])],
        "slopes": found,
        "environment": made,
    }


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    return "\n".join(
        f"{row['phase']:>5} {row['precision']:>8} {row['term']:>8}:"
        f" sign agrees in {row['sign_agreement']:.0%} of {row['windows']} windows,"
        f" correlation {row['correlation']:.3f},"
        f" error {row['error_over_signal']:.2g} of the signal {row['signal']:.2g}"
        for row in result["rows"]
    )


def main() -> None:
    """Compare, then print or write."""
    parser = commandline.parser(__doc__)
    count = commandline.at_least(1)
    parser.add_argument("--windows", type=count, help="default 32; quick 5")
    parser.add_argument("--batch", type=commandline.at_least(2), default=BATCH)
    parser.add_argument("--channels", type=count, default=CHANNELS, help="of the space")
    parser.add_argument("--depth", type=count, default=1, help="of the space")
    parser.add_argument("--side", type=count, default=SIDE, help="of the images")
    arguments = commandline.ready(parser)
    arguments.windows = arguments.windows or (5 if arguments.quick else 32)
    result = run(arguments)
    commandline.finish(arguments, result, text(result))


if __name__ == "__main__":
    main()
