"""Long work as it goes: a live picture on a terminal, one line an epoch elsewhere.

Everything goes to stderr, so that stdout holds the result alone. A log file, a dumb
terminal and whoever sets NO_COLOR get lines, since a picture that repaints itself is
noise there. Warnings are shown even to those who asked for quiet.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zonas_edge.figures import loss, share
from zonas_edge.profile import Budget
from zonas_edge.report.words import plain
from zonas_edge.retrain import RetrainRecord
from zonas_edge.search.record import EpochRecord
from zonas_edge.trials import TrialRecord

BAR = 40
"""Columns of the bar."""


class Progress:
    """Shows what a command is doing; a context, so that the terminal is given back.

    Args:
        quiet: show warnings alone.
        console: of stderr; None opens it.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        *,
        quiet: bool,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(
            file=sys.stderr, highlight=False, soft_wrap=True
        )
        self._quiet = quiet
        self._clock = clock
        self._budget: Budget | None = None
        self._phase = ""
        self._begun = 0.0
        self._done_before: float | None = None
        self._number = (0, 1)
        self._figures: dict[str, str] = {}
        self._live: Live | None = None
        if not quiet and _can_repaint(self._console):
            self._live = Live(
                get_renderable=self._picture,
                console=self._console,
                transient=True,
                refresh_per_second=4,
            )

    def __enter__(self) -> Self:
        """Begin to repaint, on a terminal."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the terminal back, whatever has happened."""
        if self._live is not None:
            self._live.stop()

    # -- what is told ----------------------------------------------------------

    def note(self, text: str) -> None:
        """Show what happens."""
        if not self._quiet:
            self._print(f"note: {text}")

    def warn(self, text: str) -> None:
        """Show what the user must know."""
        self._print(f"warning: {text}", style="yellow")

    def begin(self, phase: str, budget: Budget | None = None) -> None:
        """Begin a phase: its clock starts, and costs are shown against the budget."""
        self._phase, self._budget = phase, budget
        self._begun, self._done_before = self._clock(), None
        self._number, self._figures = (0, 1), {}

    def step(self, text: str) -> None:
        """Show one step of work that has no epochs."""
        self._figures = {"": text}
        if self._live is None and not self._quiet:
            self._print(f"{self._phase}: {text}")

    def search_epoch(self, record: EpochRecord, epochs: int) -> None:
        """Show an epoch of the search."""
        self._tell(record.epoch, epochs, search_figures(record, self._budget))

    def selection(self) -> None:
        """Show that networks drawn from the mixture are compared."""
        self.begin("selection")
        self.step("comparing networks drawn from the mixture")

    def trial(self, record: TrialRecord, trials: int, done: float) -> None:
        """Show a short training of a candidate; ``done`` of all their steps."""
        if self._phase != "trial":
            self.begin("trial")
        self._tell(record.number, trials, trial_figures(record), done)

    def retrain_epoch(self, record: RetrainRecord, epochs: int) -> None:
        """Show an epoch of retraining."""
        self._tell(record.epoch, epochs, retrain_figures(record))

    # -- how it is shown -------------------------------------------------------

    def _tell(
        self,
        number: int,
        count: int,
        figures: Mapping[str, str],
        done: float | None = None,
    ) -> None:
        """Show a part of the work, ``done`` of which is done if parts are unequal."""
        if done is None:
            done, before = number / count, (number - 1) / count
        else:
            before = done  # nobody knows when the first of unequal parts has begun
        if self._done_before is None:  # a resumed run begins in the middle
            self._done_before = before
        self._number = (number, count)
        self._figures = dict(figures)
        if done > self._done_before:
            spent = self._clock() - self._begun
            left = spent / (done - self._done_before) * (1 - done)
            self._figures["time left"] = duration(left)
        if self._live is None and not self._quiet:
            told = ", ".join(f"{key} {value}" for key, value in self._figures.items())
            self._print(f"{self._phase} {number}/{count}: {told}")

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(Text(plain(text), style=style or ""))

    def _picture(self) -> RenderableType:
        if not self._phase:
            return Text("")
        number, count = self._number
        word = "trial" if self._phase == "trial" else "epoch"
        heading = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(self._phase, style="bold")]
        if number:
            cells += [ProgressBar(count, number, BAR), Text(f"{word} {number}/{count}")]
        heading.add_row(*cells)
        figures = Table.grid(padding=(0, 2))
        for name, value in self._figures.items():
            figures.add_row(Text(name, style="dim"), Text(plain(value)))
        return Group(heading, figures)


def search_figures(record: EpochRecord, budget: Budget | None) -> dict[str, str]:
    """What an epoch of the search is told by: names and values with units."""
    loss = record.validation_loss
    weights = None if budget is None else budget.parameters
    latency = None if budget is None else budget.latency_p95_ms
    figures = {
        "train loss": f"{record.train_loss:.3f}",
        "alpha loss": "-" if loss is None else f"{loss:.3f}",
        "expected parameters": _against(
            record.expected.get("parameters"), weights, ",.0f"
        ),
        "expected latency": _against(
            record.expected.get("latency_p95_ms"),
            latency,
            ".3f",
            " ms",
        ),
        "entropy": f"{record.mean_entropy:.3f}",
        "mean maximum": f"{record.mean_maximum:.3f}",
        "alpha updates": f"{record.alpha_updates:,}",
    }
    return {name: value for name, value in figures.items() if value}


def retrain_figures(record: RetrainRecord) -> dict[str, str]:
    """What an epoch of retraining is told by."""
    return {
        "train loss": f"{record.train_loss:.3f}",
        "val loss": f"{record.val_loss:.3f}",
        "val accuracy": share(record.val_accuracy),
        "best epoch": f"{record.best_epoch}",
    }


def trial_figures(record: TrialRecord) -> dict[str, str]:
    """What a short training of a candidate is told by."""
    return {
        "round": f"{record.round}",
        "steps": f"{record.steps:,}",
        "val loss": loss(record.val_loss),
        "val accuracy": share(record.val_accuracy),
    }


def duration(seconds: float) -> str:
    """Seconds as people read them: 0:09, 12:30, 1:02:03."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _against(cost: float | None, limit: float | None, form: str, unit: str = "") -> str:
    """A cost beside its limit; nothing where the budget doesn't have it."""
    if cost is None:
        return ""
    allowed = "no limit" if limit is None else f"{limit:,.10g}{unit}"
    return f"{cost:{form}} of {allowed}"


def _can_repaint(console: Console) -> bool:
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and not os.environ.get("NO_COLOR")
    )
