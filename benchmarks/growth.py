"""How a search's cost grows: seconds at 1, 2 and 4 times the images, and the epochs.

    python benchmarks/growth.py                  # writes results/, some minutes
    python benchmarks/growth.py --json

What is timed is the step of a run: batches and augmentation, every epoch with its line
and checkpoint, and the ranking of the networks. The settings are small and the images
noise, at one batch size, so that only the count of steps changes. The val split grows
with the train split. ``deviation`` is the largest distance of a median from a straight
line, in parts of it; what does not grow is the line's constant.
"""

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import commandline
import numpy as np
from measuring import Samples, facts, interleaved

from zonas_edge.artifact import create_run
from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.dataset import Dataset
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.search import run_search
from zonas_edge.profile import load_profile
from zonas_edge.search.record import EpochRecord
from zonas_edge.trials import TrialRecord

TIMES = (1, 2, 4)
CLASSES, BATCH, SIDE, CHANNELS, DEPTH = 2, 16, 12, 4, 1


def noise(train: int) -> Dataset:
    """Images that show nothing, a quarter as many in val as in train."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", train), ("val", train // 4), ("test", CLASSES)):
        shape = (count, SIDE, SIDE)
        arrays[f"{split}_images"] = rng.integers(256, size=shape, dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % CLASSES
    name = f"noise-{train}"
    origin = Origin(where=name, name=name, source=name)
    return replace(build_dataset(arrays, origin, own_names=None), batch_size=BATCH)


def request(epochs: int, device: str) -> Request:
    """A search in a small space."""
    profile = load_profile("raspberry-pi-4")
    space = profile.space.model_copy(update={"channels": CHANNELS, "max_depth": DEPTH})
    return Request(
        profile=profile.model_copy(update={"space": space}),
        dataset="noise",
        seed=0,
        epochs=epochs,
        retrain_epochs=1,
        trial_epochs=0,
        method="zo-darts++",
        device=device,
    )


def seconds(dataset: Dataset, epochs: int, device: str) -> float:
    """Wall clock of a search, from the images to the architecture."""
    asked = request(epochs, device)
    counting = Counting()
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(Path(folder), "growth")
        begun = perf_counter()
        run_search(run, asked, dataset, counting)
        found = perf_counter() - begun
    if counting.epochs != epochs:
        raise RuntimeError(f"converged after {counting.epochs} of {epochs} epochs")
    return found


class Counting:
    """Counts epochs, and lets the rest pass."""

    def __init__(self) -> None:
        self.epochs = 0

    def search_epoch(self, record: EpochRecord, epochs: int) -> None:
        """Count an epoch."""
        del record, epochs
        self.epochs += 1

    def selection(self) -> None:
        """Let the ranking pass."""

    def trial(self, record: TrialRecord, trials: int, done: float) -> None:
        """Let a trial pass; there is none."""


def row(way: str, samples: dict[int, Samples]) -> dict[str, Any]:
    """Medians at each multiple, against a straight line."""
    times = np.array(TIMES, dtype=float)
    medians = np.array([samples[n].median for n in TIMES])
    slope, constant = np.polyfit(times, medians, 1)
    line = constant + slope * times
    return {
        "grows": way,
        "seconds": {str(n): samples[n].summary() for n in TIMES},
        "ratio": {str(n): samples[n].median / samples[1].median for n in TIMES},
        "constant_seconds": float(constant),
        "deviation": float(np.max(np.abs(medians - line) / line)),
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure by turns."""
    images, epochs, device = arguments.images, arguments.epochs, arguments.device
    made = facts(device)
    sets = {n: noise(n * images) for n in TIMES}
    seconds(sets[1], 1, device)  # loads what the first search loads
    cases = [(n, 1) for n in TIMES] + [(1, n) for n in TIMES if n > 1]
    works = [partial(seconds, sets[n], m * epochs, device) for n, m in cases]
    found = dict(zip(cases, interleaved(works, arguments.repeats), strict=True))
    return {
        "schema": 1,
        "benchmark": "growth",
        "quick": arguments.quick,
        "images": images,
        "epochs": epochs,
        "shape": {"channels": CHANNELS, "depth": DEPTH, "side": SIDE, "batch": BATCH},
        "repeats": arguments.repeats,
        "rows": [
            row("images", {n: found[n, 1] for n in TIMES}),
            row("epochs", {n: found[1, n] for n in TIMES}),
        ],
        "environment": made,
    }


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    return "\n".join(
        f"{entry['grows']}: "
        + ", ".join(
            f"{n}x {entry['seconds'][n]['median']:.2f} s"
            f" ({entry['seconds'][n]['min']:.2f}-{entry['seconds'][n]['max']:.2f})"
            for n in entry["seconds"]
        )
        + f", at most {entry['deviation']:.1%} off a straight line"
        for entry in result["rows"]
    )


def main() -> None:
    """Measure, then print or write."""
    parser = commandline.parser(__doc__)
    count = commandline.at_least(1)
    parser.add_argument("--images", type=commandline.at_least(64), help="of train")
    parser.add_argument("--epochs", type=count, help="at 1x; default 5, quick 1")
    parser.add_argument("--repeats", type=count, default=3, help="samples, default 3")
    arguments = commandline.ready(parser)
    arguments.images = arguments.images or (64 if arguments.quick else 512)
    arguments.epochs = arguments.epochs or (1 if arguments.quick else 5)
    result = run(arguments)
    commandline.finish(arguments, result, text(result))


if __name__ == "__main__":
    main()
