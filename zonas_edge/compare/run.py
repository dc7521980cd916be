"""A comparison from its options to its results, in a folder that survives any kill.

Training is spread over the workers. Measuring follows when they are gone, one network
after another, so that no latency is that of a busy machine.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch

from zonas_edge.artifact import Run, find_run, lock_folder, read_json, write_json
from zonas_edge.artifact.files import LOCK, plain_errors, sweep
from zonas_edge.compare.cell import LAST, Task, Teller
from zonas_edge.compare.plan import (
    Cell,
    Settings,
    Source,
    budgets_of,
    cells_of,
    profiles_of,
)
from zonas_edge.compare.pool import Crew, Event, Failure, make_all, visible_gpus
from zonas_edge.compare.results import Comparison, Made, gather
from zonas_edge.compare.row import row_of
from zonas_edge.compare.shelf import Shelf
from zonas_edge.data.load import is_path, load_dataset
from zonas_edge.errors import UsageError, ZonasError, did_you_mean
from zonas_edge.pipeline.deliver import run_validate
from zonas_edge.pipeline.host import commit, prepare, resolve_device
from zonas_edge.pipeline.request import describe, request_of
from zonas_edge.pipeline.session import session_of
from zonas_edge.search.method import METHODS

GONE_S = 15.0
"""Seconds for which the workers of a killed comparison may still hold its folder."""

_NEW = "choose another folder with --out"


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    Args:
        methods: names; the others are compared with the first.
        datasets: names or paths.
        profiles: names or files.
        budgets: words of ``--budgets``; () for the profiles' own.
        seeds: how many, from 0, >= 1.
        epochs: of every search, >= 1.
        retrain_epochs: of every retraining, >= 1.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: processes; None = one a GPU, or as many as the CPU has room for.
        threads: of torch in each worker, >= 1.
        flip: the user's word that mirrored images of own data keep their class.
        published_protocol: measure the test split after every retraining epoch too.
        data_dir: where the files of known sets lie, None for the usual places.
        offline: never fetch.
        bars: show a bar while fetching.
    """

    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    profiles: tuple[str, ...]
    budgets: tuple[str, ...]
    seeds: int
    epochs: int
    retrain_epochs: int
    device: str
    workers: int | None
    threads: int
    flip: bool
    published_protocol: bool
    data_dir: Path | None
    offline: bool
    bars: bool


class Listener(Protocol):
    """Who is told how a comparison goes."""

    def step(self, text: str) -> None:
        """Hear what happens now."""

    def warn(self, text: str) -> None:
        """Hear what may make the result another than the user expects."""


class Folder:
    """The files of a comparison.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "compare.json"
        self.results = path / "results.json"
        self.runs = path / "runs"
        self.logs = path / "logs"
        self.plots = path / "plots"

    @contextmanager
    def held(self, settings: Settings, *, resume: bool) -> Iterator[int]:
        """Begin a comparison here, or go on with one, and keep others out of it.

        Yields:
            The descriptor that holds the lock, for the workers to inherit.

        Raises:
            UsageError: there is another one, or the system refuses.
        """
        with plain_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._check(resume=resume)
        with lock_folder(self.path, f"wait for it, or {_NEW}", GONE_S) as descriptor:
            sweep(self.path)
            self._begin(settings)
            yield descriptor

    def _check(self, *, resume: bool) -> None:
        if self.record.is_file():
            if not resume:
                raise UsageError(
                    f"{self.path}: this comparison exists already",
                    f"add --resume to go on with it, or {_NEW}",
                )
        elif any(
            file.name != LOCK and ".tmp-" not in file.name
            for file in self.path.iterdir()
        ):
            raise UsageError(
                f"{self.path}: a folder with files in it that is no comparison", _NEW
            )

    def _begin(self, settings: Settings) -> None:
        wanted = asdict(settings)
        if self.record.is_file():
            begun = read_json(self.record).get("settings", {})
            for key, value in wanted.items():
                if begun.get(key) != value:
                    raise UsageError(
                        f"{self.path}: {key.replace('_', '-')} is {value}, the"
                        f" comparison's is {begun.get(key)}, so it can't be resumed",
                        f"repeat its own command with --resume, or {_NEW}",
                    )
        else:
            created = datetime.now(UTC).isoformat(timespec="microseconds")
            write_json(self.record, {"created": created, "settings": wanted})
        with plain_errors(self.path):
            for folder in (self.runs, self.logs):
                folder.mkdir(exist_ok=True)


def compare(
    wanted: Wanted, out: Path, listener: Listener, *, resume: bool
) -> Comparison:
    """Make every cell of the grid, measure it, and write ``results.json``.

    Args:
        wanted: the options.
        out: the comparison's folder.
        listener: hears how it goes.
        resume: go on with the comparison in ``out``; its grid may have grown.

    Raises:
        UsageError: an option that can't be used, or a folder of something else.
        DatasetError: data that can't be used.
    """
    methods = _methods(wanted.methods)
    profiles = profiles_of(wanted.profiles, budgets_of(wanted.budgets))
    device = resolve_device(wanted.device)
    prepare(device, wanted.threads)
    settings = Settings(
        epochs=wanted.epochs,
        retrain_epochs=wanted.retrain_epochs,
        device=device,
        threads=wanted.threads,
        published_protocol=wanted.published_protocol,
    )
    sources = _sources(wanted, listener)
    cells = cells_of(
        settings,
        methods=methods,
        sources=sources,
        profiles=profiles,
        seeds=wanted.seeds,
    )
    crew = _crew(wanted, device)
    folder = Folder(out)
    with folder.held(settings, resume=resume) as descriptor:
        failures = _train(cells, folder, settings, crew, descriptor, listener)
        made = _measure(cells, folder, failures, listener)
        found = gather(
            made,
            runs={cell.name: Run(folder.runs / cell.name) for cell in cells},
            reference=methods[0],
            options=_options(wanted, settings, cells, crew),
            datasets={source.name: source.facts for source in sources},
        )
        write_json(folder.results, found.to_dict())
    return found


def _methods(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in METHODS:
            raise UsageError(
                f"--methods: no method {name}",
                did_you_mean(name, METHODS) or f"one of {', '.join(METHODS)}",
            )
    return tuple(dict.fromkeys(names))


def _sources(wanted: Wanted, listener: Listener) -> tuple[Source, ...]:
    """Every data set, seen to be there and usable, and put down again."""
    found: dict[str, Source] = {}
    for source in dict.fromkeys(wanted.datasets):
        flip = wanted.flip and is_path(source)
        dataset = load_dataset(
            source,
            data_dir=wanted.data_dir,
            offline=wanted.offline,
            flip=flip,
            progress=wanted.bars,
        )
        for text in dataset.notes:
            listener.warn(text)
        if (other := found.get(dataset.name)) is not None:
            raise UsageError(
                f"{source}: a second data set named {dataset.name}, beside"
                f" {other.source}",
                "give one of the files another name",
            )
        found[dataset.name] = Source.of(dataset, flip=flip, facts=describe(dataset))
    return tuple(found.values())


def _crew(wanted: Wanted, device: str) -> dict[str, Any]:
    """Workers and GPUs."""
    if device == "cuda":
        gpus = visible_gpus(torch.cuda.device_count(), os.environ)
        return {"workers": wanted.workers or len(gpus), "gpus": gpus}
    room = max(1, (os.cpu_count() or 1) // wanted.threads)
    return {"workers": wanted.workers or room, "gpus": ()}
