"""The loop that search and retraining share: an epoch, its line, its checkpoint.

One place decides the order in which they reach the disk: the line first, since one too
many is cut back on resumption, while one too few would be a gap.
"""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from zonas_edge.artifact import append_line, cut_lines, read_lines
from zonas_edge.errors import ZonasError
from zonas_edge.pipeline.checkpoint import load_state, save_state


class Trained(Protocol):
    """What is advanced an epoch at a time and keeps all of its state."""

    epoch: int

    @property
    def finished(self) -> bool:
        """True if no epoch is left."""

    def run_epoch(self) -> Any:
        """Advance by one epoch, and tell of it in a dataclass."""

    def state_dict(self) -> dict[str, Any]:
        """All of the state."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the state was taken."""


def go_on(work: Trained, *, log: Path, checkpoint: Path, device: str) -> None:
    """Take up a checkpoint if there is one, and cut the log back to it."""
    if checkpoint.is_file():
        work.load_state_dict(load_state(checkpoint, device))
    cut_lines(log, lambda line: line["epoch"] <= work.epoch)


def logged(log: Path, do: Callable[[], Any]) -> Any:
    """Do a part of the work, and log what it tells, a dataclass, with its seconds.

    Raises:
        ZonasError: a figure of it is not finite, and nothing of it is kept.
    """
    begun = perf_counter()
    record = do()
    seconds = round(perf_counter() - begun, 3)
    line = asdict(record)
    for name, value in line.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ZonasError(
                f"{log}: {name} is {value}, the training has diverged",
                "try another --seed, and look at the images",
            )
    append_line(log, line | {"seconds": seconds})
    return record


def seconds_of(log: Path) -> float:
    """Seconds that the parts of a log took, those before a resumption included."""
    return round(sum(float(line["seconds"]) for line in read_lines(log)), 1)


def run_epochs(
    work: Trained,
    *,
    log: Path,
    checkpoint: Path,
    on_epoch: Callable[[Any], None],
) -> float:
    """Run every epoch that is left.

    Returns:
        Seconds that the epochs of the log took, those before a resumption included.
    """
    while not work.finished:
        record = logged(log, work.run_epoch)
        save_state(checkpoint, work.state_dict())
        on_epoch(record)
    return seconds_of(log)
