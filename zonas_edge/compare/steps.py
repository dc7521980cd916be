"""The two parts of a comparison: training side by side, then measuring one by one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from zonas_edge.artifact import Run, find_run
from zonas_edge.compare.cell import LAST, Task, Teller, remember_commit
from zonas_edge.compare.folder import Folder
from zonas_edge.compare.plan import Cell, Settings
from zonas_edge.compare.pool import Crew, Event, Failure, make_all
from zonas_edge.compare.results import Made
from zonas_edge.compare.row import Row, report_of, row_of
from zonas_edge.compare.sharing import alike
from zonas_edge.compare.shelf import Shelf
from zonas_edge.device.local import LocalTarget
from zonas_edge.errors import ZonasError
from zonas_edge.pipeline.deliver import run_validate
from zonas_edge.pipeline.host import commit
from zonas_edge.pipeline.request import Request, request_of
from zonas_edge.pipeline.session import session_of
from zonas_edge.validate.verdict import gates_of, limits_of


class Listener(Protocol):
    """Who is told how a comparison goes."""

    def step(self, text: str) -> None:
        """Hear what happens now."""

    def warn(self, text: str) -> None:
        """Hear what may make the result another than the user expects."""


def train(
    cells: Sequence[Cell],
    folder: Folder,
    settings: Settings,
    crew: Crew,
    listener: Listener,
) -> dict[str, Failure]:
    """Have every cell made that isn't yet.

    Returns:
        Why cells were not made, by name.
    """
    code = commit()
    once = {cell.name: cell for cell in cells}
    tasks = [
        Task(folder.runs, cell, code, settings.published_protocol, alike(cell, cells))
        for cell in once.values()
        if not _trained(cell, folder)
    ]
    ledger = _Ledger([task.cell.name for task in tasks], listener)
    make_all(tasks, crew, ledger.hear)
    lost = Failure("no worker has made it", f"see {folder.logs}")
    return ledger.failures | dict.fromkeys(ledger.waiting, lost)


class _Ledger:
    """Who has been made, who has failed, and what of it is worth telling."""

    def __init__(self, names: Sequence[str], listener: Listener) -> None:
        self.waiting = dict.fromkeys(names)
        self.failures: dict[str, Failure] = {}
        self._all = len(names)
        self._listener = listener
        self._phases: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Take down what a worker says."""
        if event.kind == "warning":
            self._listener.warn(f"{event.cell}: {event.text}")
        elif event.kind == "state":
            phase = event.text.partition(" ")[0]
            if self._phases.get(event.cell) != phase:  # an epoch of a cell is no news
                self._phases[event.cell] = phase
                self._listener.step(f"{event.cell}: {phase}")
        else:
            self._close(event)

    def _close(self, event: Event) -> None:
        self.waiting.pop(event.cell, None)
        if event.failure is not None:
            self.failures[event.cell] = event.failure
            self._listener.warn(f"{event.cell}: {event.failure.message}")
        made = self._all - len(self.waiting)
        self._listener.step(f"{made} of {self._all}: {event.cell}: {event.kind}")


def _trained(cell: Cell, folder: Folder) -> bool:
    """Whether nothing is left but measuring; what is damaged is for the worker."""
    try:
        run = find_run(folder.runs, cell.name)
        return (
            run is not None
            and run.finished("export")
            and cell.request.difference(request_of(run)) is None
        )
    except ZonasError:
        return False


def measure(
    cells: Sequence[Cell],
    folder: Folder,
    failures: Mapping[str, Failure],
    listener: Listener,
) -> tuple[Made, ...]:
    """Validate every network, one after another."""
    shelf = Shelf()
    made = []
    for number, cell in enumerate(cells, 1):
        failure = failures.get(cell.name)
        row = None
        if failure is None:
            listener.step(f"measuring {number} of {len(cells)}: {cell.name}")
            try:
                row = _measured(cell, folder, shelf, listener)
            except ZonasError as error:
                failure = Failure(str(error), error.hint, error.exit_code)
                listener.warn(f"{cell.name}: {failure.message}")
        made.append(Made(cell, row, failure))
    return tuple(made)


def _measured_so(run: Run, request: Request) -> bool:
    """Whether a run was measured as all others are: here, under its own profile.

    A user may have validated it since then, on a board or under another profile.
    """
    if not run.finished("validate"):
        return False
    report = report_of(run)
    profile, host = request.profile, report.latency_host
    return (
        (report.profile, report.latency_ms.threads, host.target)
        == (profile.name, profile.runtime.threads, LocalTarget().name)
        and {one.name: one.allowed for one in report.limits}
        == limits_of(profile.budget)
        and {one.name: one.required for one in report.acceptance}
        == gates_of(profile.acceptance)
    )


def _measured(cell: Cell, folder: Folder, shelf: Shelf, listener: Listener) -> Row:
    """The row of a cell, its run validated unless it was before, in the same way."""
    request = cell.request
    teller = Teller(tell=lambda _: None, warn=listener.warn)
    dataset = shelf.dataset(request)
    with session_of(
        request,
        dataset,
        teller,
        out=folder.runs,
        name=cell.name,
        last=LAST,
        resume=True,
    ) as session:
        run = session.run
        if not _measured_so(run, request):
            remember_commit(run, commit())
            run_validate(
                run,
                request,
                dataset,
                profile=request.profile,
                acceptance=None,
                progress=None,
            )
        return row_of(cell, run)
