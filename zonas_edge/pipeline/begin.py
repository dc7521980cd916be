"""Beginning a run, or going on with one.

A name that is free begins a run. One that has got as far as a checkpoint goes on if
asked to, under the same request, and is never overwritten unasked; one that was stopped
before starts over.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zonas_edge.artifact import Run, create_run, find_run, list_runs
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.request import RETRAINED_UNDER, Request
from zonas_edge.search.method import DEFAULT

_LONGEST = 80
"""Characters of a run's name that is made here."""


@dataclass(frozen=True)
class Begun:
    """A run that can be worked on.

    Args:
        run: its folder.
        notices: what the user should know, one sentence each.
    """

    run: Run
    notices: tuple[str, ...]


def default_name(request: Request, dataset: str) -> str:
    """Name of a run without ``--name``: data set, profile, other method, seed."""
    method = () if request.method == DEFAULT else (request.method,)
    return run_name(dataset, request.profile.name, *method, f"seed{request.seed}")


def run_name(*words: str) -> str:
    """A name that a folder can have, made of words that may be any text.

    Of what is too long the first word is cut, the data set's: the others tell runs on
    it apart.
    """
    first, *others = (re.sub(r"[^\w.+-]+", "_", word) for word in words)
    room = max(_LONGEST - sum(1 + len(word) for word in others), 1)
    name = "-".join([first.lstrip(".-_")[:room], *others])
    return name.lstrip(".-_")[:_LONGEST]


def begin(
    out: Path,
    name: str | None,
    request: Request,
    *,
    dataset: str,
    last: str,
    resume: bool,
) -> Begun:
    """Create the run, start it over, or open it to go on.

    Args:
        out: folder of runs.
        name: of the run, or None for one made from the request.
        request: what is asked for now.
        dataset: short name of the data set.
        last: the stage whose end makes the run finished.
        resume: go on with the run if it exists.

    Raises:
        UsageError: there is a run of that name, or it was begun under another request.
    """
    base = default_name(request, dataset)
    if name is None:
        name = _unfinished(out, base, last, request) if resume else _free(out, base)
    found = find_run(out, name)
    if found is None:
        run = create_run(out, name)
        with run.lock():
            _write(run, request)
        return Begun(run, ())
    if resume:
        return Begun(found, _resumed(found, request))
    with found.lock():
        _check_replaceable(found, last)
        found.start_over()
        _write(found, request)
    notice = f"{found.path}: a run of that name, stopped at its start, starts over"
    return Begun(found, (notice,))


def _check_replaceable(run: Run, last: str) -> None:
    """Refuse to lose what a run has come to."""
    if run.finished(last) or run.finished("retrain"):
        what = "exists and is finished"
    elif run.chosen:
        what = "exists, and its search is finished"
    elif run.search_checkpoint.is_file():
        what = "exists, its search half done"
    else:
        return
    raise UsageError(
        f"{run.path}: this run {what}",
        "choose another --name, or add --resume to go on with it",
    )


def _write(run: Run, request: Request) -> None:
    """Record what a run is made under; it is locked.

    Raises:
        UsageError: another command has been faster.
    """
    if "request" in run.read():
        raise UsageError(
            f"{run.path}: another command has just begun this run",
            "choose another --name",
        )
    run.update(request=request.to_dict(), test_openings=0)


def _resumed(run: Run, request: Request) -> tuple[str, ...]:
    record: dict[str, Any] = run.read()
    if "request" not in record:  # killed before it was written
        with run.lock():
            _write(run, request)
        return ()
    before = Request.from_dict(record["request"], str(run.record))
    if (difference := request.difference(before)) is not None:
        # a `retrain` by itself changes these, and the run's own command no longer fits
        changed = replace(
            before, seed=request.seed, retrain_epochs=request.retrain_epochs
        )
        retrained = RETRAINED_UNDER in record and request.difference(changed) is None
        goes_on = (
            run.command("export")
            if retrained
            else "repeat the run's own command with --resume"
        )
        raise UsageError(
            f"{run.path}: {difference}, so it can't be resumed",
            f"{goes_on}, or choose another --name",
        )
    return (f"{run.path}: going on with this run",)


def _family(out: Path, base: str) -> list[Run]:
    """Runs whose name was made from ``base``, newest first."""
    pattern = re.compile(re.escape(base) + r"(-\d+)?")
    return [run for run in list_runs(out) if pattern.fullmatch(run.name)]


def _free(out: Path, base: str) -> str:
    taken = {run.name for run in _family(out, base)}
    number = 1
    name = base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _unfinished(out: Path, base: str, last: str, request: Request) -> str:
    """The newest unfinished run of the family that was begun under this request.

    Else its newest unfinished one, its newest, or a new one.
    """
    family = _family(out, base)
    unfinished = [run for run in family if not run.finished(last)]
    same = [run for run in unfinished if _begun_under(run, request)]
    return next((run.name for run in (*same, *unfinished, *family)), base)


def _begun_under(run: Run, request: Request) -> bool:
    kept = run.read().get("request")
    before = None if kept is None else Request.from_dict(kept, str(run.record))
    return before is not None and request.difference(before) is None
