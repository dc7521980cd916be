"""One cell: search, retrain and export, on an ordinary run's folder.

Measuring comes later, one network after another, when no worker disturbs the clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from zonas_edge.artifact import Run
from zonas_edge.compare.plan import Cell
from zonas_edge.compare.published import Onlooker
from zonas_edge.compare.sharing import borrow_search
from zonas_edge.data.dataset import Dataset
from zonas_edge.pipeline.choose import choose_network
from zonas_edge.pipeline.deliver import run_export
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import run_retrain
from zonas_edge.pipeline.session import session_of
from zonas_edge.retrain import RetrainRecord
from zonas_edge.search.record import EpochRecord
from zonas_edge.trials import TrialRecord

LAST = "validate"
"""The stage whose end makes a cell finished."""


@dataclass(frozen=True)
class Task:
    """A cell as a worker is given it.

    Args:
        out: folder of runs.
        cell: what to make.
        commit: of the code, for the run's record.
        published_protocol: measure the test split after every retraining epoch too.
        alike: names of the cells whose search is the same.
    """

    out: Path
    cell: Cell
    commit: str
    published_protocol: bool
    alike: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "out": str(self.out),
            "name": self.cell.name,
            "dataset": self.cell.dataset,
            "request": self.cell.request.to_dict(),
            "commit": self.commit,
            "published_protocol": self.published_protocol,
            "alike": self.alike,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What ``to_dict`` gave."""
        request = Request.from_dict(data["request"], "task")
        return cls(
            out=Path(data["out"]),
            cell=Cell(data["name"], data["dataset"], request, request.profile),
            commit=data["commit"],
            published_protocol=data["published_protocol"],
            alike=tuple(data["alike"]),
        )


@dataclass(frozen=True)
class Teller:
    """Passes on what happens in a cell.

    Args:
        tell: is called with each state, such as ``search 3/30``.
        warn: is called with what may make the result another than expected.
    """

    tell: Callable[[str], None]
    warn: Callable[[str], None]

    def note(self, text: str) -> None:
        """Pass over what needn't be known of one cell among many."""

    def search_epoch(self, record: EpochRecord, epochs: int) -> None:
        """Tell of an epoch of the search."""
        self.tell(f"search {record.epoch}/{epochs}")

    def selection(self) -> None:
        """Tell that networks are ranked."""
        self.tell("selection")

    def trial(self, record: TrialRecord, trials: int, done: float) -> None:
        """Tell of a trial of a candidate."""
        del done  # a cell among many tells no time
        self.tell(f"trial {record.number}/{trials}")

    def retrain_epoch(self, record: RetrainRecord, epochs: int) -> None:
        """Tell of an epoch of retraining."""
        self.tell(f"retrain {record.epoch}/{epochs}")


def make(task: Task, dataset: Dataset, teller: Teller) -> None:
    """Make a cell's network, or go on with it.

    Args:
        task: what to make.
        dataset: its data, loaded already.
        teller: hears of it.

    Raises:
        ZonasError: why this cell can't be made.
    """
    request = task.cell.request
    with session_of(
        request,
        dataset,
        teller,
        out=task.out,
        name=task.cell.name,
        last=LAST,
        resume=True,
    ) as session:
        run = session.run
        remember_commit(run, task.commit)
        borrow_search(run, [Run(task.out / name) for name in task.alike])
        choose_network(run, request, dataset, teller)
        _retrain(task, run, dataset, teller)
        if not run.finished("export"):
            teller.tell("export")
            run_export(run, request, dataset)


def _retrain(task: Task, run: Run, dataset: Dataset, teller: Teller) -> None:
    request = task.cell.request
    if not task.published_protocol:
        run_retrain(run, request, dataset, teller.retrain_epoch)
        return
    onlooker = Onlooker(run, request, dataset)

    def after(record: RetrainRecord, epochs: int) -> None:
        onlooker.look()
        teller.retrain_epoch(record, epochs)

    onlooker.look()  # at an epoch before a kill that came between it and its look
    run_retrain(run, request, dataset, after)


def remember_commit(run: Run, commit: str) -> None:
    """Add the code that goes on with the run to those that have worked on it."""
    before = run.read().get("commits", [])
    if commit not in before:
        run.update(commits=[*before, commit])
