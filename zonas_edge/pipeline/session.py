"""A command's hold on a run: the request, the data, the lock, what has changed.

Whatever the user can have got wrong is told before anything is written: the profile,
the gates, the device, the data, the budget, and only then the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from zonas_edge.artifact import Run, open_run
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.begin import begin
from zonas_edge.pipeline.choose import check_request
from zonas_edge.pipeline.host import changes, environment, prepare, resolve_device
from zonas_edge.pipeline.request import (
    CONTINUED_UNDER,
    Request,
    open_dataset,
    request_of,
    same_data,
)
from zonas_edge.profile import Acceptance, load_gates, profile_on, with_fitted
from zonas_edge.runtimes import load_profile_or_level
from zonas_edge.validate.verdict import check_gates


class Watcher(Protocol):
    """Who is told what the user should know."""

    def note(self, text: str) -> None:
        """Hear what happens, which can be passed over."""

    def warn(self, text: str) -> None:
        """Hear what may make the result another than the user expects."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a new run.

    Args:
        profile: name or path, or a constraint level.
        dataset: name or path.
        data_dir: where the files of known sets lie, None for the usual places.
        seed: of everything random, >= 0.
        epochs: of the search, >= 1; 0 for a reference network.
        retrain_epochs: of retraining, >= 1.
        trial_epochs: of all trials of candidates together, >= 0.
        search_images: of train that the search learns from, about; None for all.
        method: a name of ``search.method``, or of a reference network.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: of torch, None for its own choice.
        flip: the user's word that a mirrored image keeps its class.
        classes: class names instead of the data's own, or None.
        gates: file of acceptance criteria, or None.
        offline: never fetch.
        bars: show a bar while fetching.
        latency_model: file of a fitted latency model, or None for the profile's own.
    """

    profile: str
    dataset: str
    data_dir: Path | None
    seed: int
    epochs: int
    retrain_epochs: int
    trial_epochs: int
    search_images: int | None
    method: str
    device: str
    threads: int | None
    flip: bool
    classes: tuple[str, ...] | None
    gates: str | None
    offline: bool
    bars: bool
    latency_model: Path | None = None


@dataclass(frozen=True)
class Session:
    """A locked run with its request and its data.

    Args:
        run: its folder.
        request: what it is made under.
        dataset: its data, checked.
        gates: criteria of ``--gates``, or None for the profile's own.
    """

    run: Run
    request: Request
    dataset: Dataset
    gates: Acceptance | None = None


@contextmanager
def new_session(
    asked: Asked,
    watcher: Watcher,
    *,
    out: Path,
    name: str | None,
    last: str,
    resume: bool,
) -> Iterator[Session]:
    """Begin a run, or go on with one, and keep others out of it.

    Args:
        asked: the options.
        watcher: hears warnings of the data and what became of an older run.
        out: folder of runs.
        name: of the run, or None for one made from the request.
        last: the stage whose end makes the run finished.
        resume: go on with the run if it exists.

    Raises:
        UsageError: an option that can't be used, or a run that can't be gone on with.
        BudgetError: a budget that no network can meet.
        DatasetError: data that can't be used.
    """
    own = asked.latency_model is None
    profile = profile_on(
        load_profile_or_level(asked.profile, fitted=own), asked.dataset
    )
    if asked.latency_model is not None:
        profile = with_fitted(profile, asked.latency_model)
    gates = None if asked.gates is None else load_gates(asked.gates)
    device = resolve_device(asked.device)
    prepare(device, asked.threads)
    dataset = load_dataset(
        asked.dataset,
        data_dir=asked.data_dir,
        offline=asked.offline,
        flip=asked.flip,
        classes=asked.classes,
        progress=asked.bars,
    )
    for text in dataset.notes:
        watcher.warn(text)
    check_gates(gates or profile.acceptance, dataset.class_names)
    request = Request(
        profile=profile,
        dataset=dataset.source,  # absolute: a later command may stand elsewhere
        seed=asked.seed,
        epochs=asked.epochs,
        retrain_epochs=asked.retrain_epochs,
        trial_epochs=asked.trial_epochs,
        search_images=asked.search_images,
        method=asked.method,
        device=device,
        flip=asked.flip,
        classes=asked.classes,
        data_dir=None if dataset.folder is None else Path(dataset.folder),
    )
    with session_of(
        request, dataset, watcher, out=out, name=name, last=last, resume=resume
    ) as session:
        yield replace(session, gates=gates)


@contextmanager
def session_of(
    request: Request,
    dataset: Dataset,
    watcher: Watcher,
    *,
    out: Path,
    name: str | None,
    last: str,
    resume: bool,
) -> Iterator[Session]:
    """Begin a run of a request, or go on with one, and keep others out of it.

    Args:
        request: what is asked for.
        dataset: its data, loaded already.
        watcher: hears what became of an older run.
        out: folder of runs.
        name: of the run, or None for one made from the request.
        last: the stage whose end makes the run finished.
        resume: go on with the run if it exists.

    Raises:
        UsageError: a run that can't be gone on with.
        BudgetError: a budget that no network can meet.
        DatasetError: the data have changed since the run began.
    """
    check_request(request, dataset)
    begun = begin(out, name, request, dataset=dataset.name, last=last, resume=resume)
    for text in begun.notices:
        watcher.note(text)
    with begun.run.lock():
        if (other := request.difference(request_of(begun.run))) is not None:
            raise UsageError(
                f"{begun.run.path}: another command has just begun this run ({other})",
                "choose another --name",
            )
        same_data(begun.run, dataset)
        if not begun.run.finished(last):  # else nothing is computed anew
            remember_host(begun.run, request.device, "environment", watcher)
        yield Session(begun.run, request, dataset)


@contextmanager
def old_session(
    out: Path,
    name: str | None,
    *,
    data_dir: Path | None,
    offline: bool,
    bars: bool,
    gates: str | None = None,
) -> Iterator[Session]:
    """Open a run for what comes after its search, and keep others out of it.

    Args:
        out: folder of runs.
        name: of the run, or None for the newest.
        data_dir: where its data lie now, None for where they lay, or where sets
            usually lie if that folder is gone.
        offline: never fetch.
        bars: show a bar while fetching.
        gates: file of acceptance criteria, or None.

    Raises:
        UsageError: no such run, or a record that can't be read.
        DatasetError: its data are gone or have changed.
    """
    acceptance = None if gates is None else load_gates(gates)
    run = open_run(out, name)
    with run.lock():
        request = request_of(run)
        kept = request.data_dir  # of another machine, perhaps
        if data_dir is not None or (kept is not None and not kept.is_dir()):
            request = replace(request, data_dir=data_dir)
        dataset = open_dataset(run, request, offline=offline, progress=bars)
        if dataset.folder is not None:
            request = replace(request, data_dir=Path(dataset.folder))
        yield Session(run, request, dataset, acceptance)


def remember_host(run: Run, device: str, key: str, watcher: Watcher) -> None:
    """Record what the work begins under; later, warn of and add what is different.

    Args:
        run: its folder, locked.
        device: ``cpu`` or ``cuda``.
        key: of the record: ``environment``, or ``retrain_environment`` for a
            retraining that was repeated.
        watcher: hears each difference.
    """
    now = environment(device)
    before: dict[str, Any] | None = run.read().get(key)
    if before is None:
        run.update(**{key: now})
        return
    if not (differences := changes(before, now)):
        return
    others = run.read().get(CONTINUED_UNDER, [])
    if now not in others:
        run.update(**{CONTINUED_UNDER: [*others, now]})
    for difference in differences:
        watcher.warn(f"{difference}, so the result may be another")
