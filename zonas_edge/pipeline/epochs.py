"""The loop that search and retraining share: an epoch, its line, its checkpoint.

One place decides the order in which they reach the disk: the line first, since one too
many is cut back on resumption, while one too few would be a gap.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from zonas_edge.artifact import append_line, cut_lines, read_lines
from zonas_edge.errors import UsageError, ZonasError
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


@dataclass(frozen=True)
class Stage:
    """A search or a retraining, as far as the run's folder holds it.

    Args:
        name: such as ``search``.
        log: of its epochs.
        checkpoint: after the last of them.
        again: the hint where it can't be gone on with.
    """

    name: str
    log: Path
    checkpoint: Path
    again: str


def check_settings(stage: Stage, before: Any, now: Any) -> None:
    """See that a checkpoint is of the settings that it would go on with.

    Schedules and the record hold for one and the same from the first epoch to the last.

    Args:
        stage: that is gone on with, or not yet begun.
        before: the settings in the record, or None.
        now: a dataclass.

    Raises:
        UsageError: another version began it with other figures.
    """
    if before is None or not stage.checkpoint.is_file():
        return
    found = _difference(before, json.loads(json.dumps(asdict(now))))
    if found is not None:
        name, old, new = found
        raise UsageError(
            f"{stage.checkpoint.parent}: its {stage.name} was begun with"
            f" {name.replace('_', ' ')} {old}, and would go on with {new}",
            stage.again,
        )


def _difference(before: Any, now: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """The first figure that differs, by its name, and both of its values."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return None if before == now else (name, before, now)
    found = (
        _difference(before.get(key), now.get(key), f"{name} {key}".strip())
        for key in dict.fromkeys([*now, *before])
    )
    return next((one for one in found if one is not None), None)


def go_on(work: Trained, stage: Stage, *, device: str) -> None:
    """Take up a checkpoint if there is one, and cut the log back to it.

    Raises:
        UsageError: it is damaged.
    """
    if stage.checkpoint.is_file():
        state = load_state(stage.checkpoint, stage.again, device)
        try:
            work.load_state_dict(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"{stage.checkpoint}: not of this {stage.name}", stage.again
            ) from error
    cut_lines(stage.log, lambda line: line["epoch"] <= work.epoch)


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
    work: Trained, stage: Stage, *, on_epoch: Callable[[Any], None]
) -> float:
    """Run every epoch that is left.

    Returns:
        Seconds that the epochs of the log took, those before a resumption included.
    """
    while not work.finished:
        record = logged(stage.log, work.run_epoch)
        save_state(stage.checkpoint, work.state_dict())
        on_epoch(record)
    return seconds_of(stage.log)
