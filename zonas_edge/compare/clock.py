"""The latency of all networks of a comparison, measured so that they can be compared.

A machine is fast for one minute and slow for the next: networks that are the same to
the byte differed by 1.7 times where each was measured in a piece of its own
(benchmarks/LOG.md). So all of them are visited in turns, in another random order every
round, and what counts is each one's undisturbed time (``device.measuring``). They are
measured anew, all together, each time that a comparison comes to its end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from zonas_edge.artifact import Run
from zonas_edge.artifact.files import plain_errors
from zonas_edge.compare.folder import Folder
from zonas_edge.compare.results import Made
from zonas_edge.compare.steps import Listener
from zonas_edge.device.job import sha256_of_file, workspace
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measuring import undisturbed_ms
from zonas_edge.device.process import Progress
from zonas_edge.errors import UsageError, ZonasError
from zonas_edge.pipeline.host import environment, today
from zonas_edge.profile import RuntimeLimits

ROUNDS = 16
"""Visits of each network."""


def clocked(
    made: Iterable[Made], folder: Folder, listener: Listener
) -> tuple[Made, ...]:
    """Every row with the undisturbed latency of its network on this machine.

    Args:
        made: cells, those that failed too.
        folder: of the comparison.
        listener: hears how it goes, and of networks that can't be measured so.
    """
    found = tuple(made)
    groups: dict[tuple[int, str, str], dict[str, RuntimeLimits]] = defaultdict(dict)
    for one in found:
        if one.row is not None:
            runtime = one.cell.request.profile.runtime
            key = (runtime.threads, runtime.provider, one.cell.dataset)
            groups[key][one.row.run] = runtime
    times: dict[str, float] = {}
    for (_, _, dataset), asked in groups.items():
        listener.step(f"latency: {len(asked)} networks of {dataset} in turns")
        runs = [Run(folder.runs / name) for name in asked]
        try:
            times |= together(runs, next(iter(asked.values())), listener.step)
        except ZonasError as error:
            listener.warn(f"latency of {dataset}: {error}")
    return tuple(
        one
        if one.row is None
        else replace(
            one, row=replace(one.row, latency_undisturbed_ms=times.get(one.row.run))
        )
        for one in found
    )


def clocked_by() -> dict[str, str]:
    """What latencies that are taken now hold for; networks may be older than this."""
    now = environment("cpu")
    told = {key: str(now[key]) for key in ("cpu", "onnxruntime", "commit")}
    return told | {"date": today()}


def _image(golden: Path) -> NDArray[np.uint8]:
    """The first of some golden vectors' images, [1, C, H, W]."""
    try:
        with golden.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            image: NDArray[np.uint8] = kept["images"][:1]
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UsageError(
            f"{golden}: not golden vectors", "zonas-edge export RUN"
        ) from error
    return image


def together(
    runs: Sequence[Run], runtime: RuntimeLimits, progress: Progress
) -> dict[str, float]:
    """Undisturbed milliseconds of exported networks by name of the run.

    Args:
        runs: of one kind of image; files that are the same are measured once.
        runtime: threads and provider.
        progress: is called with each line of progress.

    Raises:
        ZonasError: a file is missing or damaged, or doesn't run here.
    """
    with plain_errors(runs[0].path):
        hashes = {run.name: sha256_of_file(run.model) for run in runs}
        image = _image(runs[0].golden)
    models = {hashes[run.name]: run.model for run in runs}
    with workspace() as place:
        file = place / "image.npy"
        np.save(file, image, allow_pickle=False)
        taken = undisturbed_ms(
            LocalTarget(),
            list(models.values()),
            file,
            runtime,
            rounds=ROUNDS,
            rng=np.random.default_rng(0),
            progress=progress,
        )
    by_hash = dict(zip(models, taken, strict=True))
    return {name: by_hash[found] for name, found in hashes.items()}
