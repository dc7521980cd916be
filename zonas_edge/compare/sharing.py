"""Searches that several cells have in common, and that are made once.

A method without a penalty searches as if there were no budget: that only decides which
of its draws are kept. So the cells of one method, data set and seed differ by nothing
before their draws, and the first that has searched lends its search to those that
haven't begun theirs. Workers that have nothing else to do meanwhile make one each,
which changes nothing.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from zonas_edge.artifact import Run, write_bytes
from zonas_edge.compare.plan import Cell
from zonas_edge.errors import ZonasError
from zonas_edge.pipeline.request import Request
from zonas_edge.profile import Acceptance, Budget
from zonas_edge.search.method import METHODS, Penalty


def alike(cell: Cell, cells: Iterable[Cell]) -> tuple[str, ...]:
    """Names of the other cells whose search is the same; () for most cells."""
    found = dict.fromkeys(
        other.name
        for other in cells
        if other.name != cell.name and _same_search(cell.request, other.request)
    )
    return tuple(found)


def _same_search(one: Request, other: Request) -> bool:
    method = METHODS.get(one.method)
    if method is None or method.penalty is not Penalty.NONE or not method.trained:
        return False
    # the log of a search tells what each limit's cost is expected to be
    limits = [
        request.profile.budget.model_dump(exclude_none=True).keys()
        for request in (one, other)
    ]
    return limits[0] == limits[1] and _unbound(one) == _unbound(other)


def _unbound(request: Request) -> Request:
    """A request without what only its draws and its verdict depend on."""
    nothing = {
        "name": "",
        "path": "-",  # a file a budget, perhaps
        "budget": Budget(parameters=1),
        "acceptance": Acceptance(),
    }
    return replace(request, profile=request.profile.model_copy(update=nothing))


def borrow_search(run: Run, lenders: Sequence[Run]) -> None:
    """Take over a finished search from the first run that has one.

    Args:
        run: its folder, locked; one that has begun its own search goes on with that.
        lenders: runs whose search is the same; what can't be read is passed over.
    """
    if run.search_checkpoint.is_file() or run.finished("search"):
        return
    for lender in lenders:
        with suppress(ZonasError, OSError):
            if lender.finished("search"):
                log = lender.history.read_bytes()
                state = lender.search_checkpoint.read_bytes()
                # a log without its checkpoint would be cut back to nothing
                write_bytes(run.history, log)
                write_bytes(run.search_checkpoint, state)
                run.update(search_of=lender.name)
                return
