"""A comparison from its options to its results, in a folder that survives any kill.

Training is spread over the workers. Measuring follows when they are gone, one network
after another, so that no latency is that of a busy machine.
"""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from zonas_edge.artifact import Run, write_json
from zonas_edge.compare.clock import clocked, clocked_by
from zonas_edge.compare.folder import Folder
from zonas_edge.compare.plan import (
    Settings,
    Source,
    budgets_of,
    cells_of,
    methods_of,
    profiles_of,
)
from zonas_edge.compare.pool import Crew, visible_gpus
from zonas_edge.compare.results import Comparison, gather
from zonas_edge.compare.steps import Listener, measure, train
from zonas_edge.data.load import is_path, load_dataset
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.host import prepare, resolve_device
from zonas_edge.pipeline.request import describe
from zonas_edge.validate.verdict import check_gates


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
        trial_epochs: of all trials of a cell's candidates together, >= 0.
        search_images: of train that every search learns from, about; None for all.
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
    trial_epochs: int
    search_images: int | None
    device: str
    workers: int | None
    threads: int
    flip: bool
    published_protocol: bool
    data_dir: Path | None
    offline: bool
    bars: bool


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
        UsageError: an option that can't be used, a gate that doesn't fit a data set,
            or a folder of something else.
        DatasetError: data that can't be used.
    """
    methods = methods_of(wanted.methods)
    profiles = profiles_of(wanted.profiles, budgets_of(wanted.budgets))
    device = resolve_device(wanted.device)
    prepare(device, wanted.threads)
    settings = Settings(
        epochs=wanted.epochs,
        retrain_epochs=wanted.retrain_epochs,
        trial_epochs=wanted.trial_epochs,
        search_images=wanted.search_images,
        device=device,
        threads=wanted.threads,
        published_protocol=wanted.published_protocol,
    )
    sources = _sources(wanted, listener)
    classes = {source.name: source.facts["class_names"] for source in sources}
    cells = cells_of(
        settings,
        methods=methods,
        sources=sources,
        profiles=profiles,
        seeds=wanted.seeds,
    )
    for cell in cells:
        check_gates(cell.profile.acceptance, classes[cell.dataset])
    folder = Folder(out)
    crew = _crew(wanted, device, folder.logs)
    with folder.held(settings, resume=resume) as descriptor:
        crew = replace(crew, kept=(descriptor,))
        failures = train(cells, folder, settings, crew, listener)
        made = clocked(measure(cells, folder, failures, listener), folder, listener)
        found = gather(
            made,
            runs={cell.name: Run(folder.runs / cell.name) for cell in cells},
            reference=methods[0],
            options=_options(wanted, settings, crew),
            datasets={source.name: source.facts for source in sources},
            clock=clocked_by(),
        )
        write_json(folder.results, found.to_dict())
    return found


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


def _crew(wanted: Wanted, device: str, logs: Path) -> Crew:
    """Workers, and the GPUs that are handed out to them."""
    if device == "cuda":
        gpus = visible_gpus(torch.cuda.device_count(), os.environ)
        workers = wanted.workers or len(gpus)
    else:
        gpus = ()
        workers = wanted.workers or max(1, cores() // wanted.threads)
    return Crew(
        workers=workers, threads=wanted.threads, device=device, gpus=gpus, logs=logs
    )


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _options(wanted: Wanted, settings: Settings, crew: Crew) -> dict[str, Any]:
    """The options as the results tell them."""
    return asdict(settings) | {
        "methods": list(dict.fromkeys(wanted.methods)),
        "profiles": list(wanted.profiles),
        "budgets": list(wanted.budgets),
        "seeds": wanted.seeds,
        "workers": crew.workers,
        "latency": "undisturbed, measured here, all networks in turns",
    }
