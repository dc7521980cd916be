"""Measuring many networks on one device, fairly and against its noise.

A device is never alone: other programs take its processor for a while, its clock goes
up and down, and a virtual machine's neighbour shares its core (ours changed by a third
within seconds). Whatever comes between makes a network slower, never faster. So each
one is visited several times, in another random order every round, each visit short and
with a session of its own; and what counts is the lowest of the visits' 10th
percentiles, called undisturbed. It can be told within a few percent beside other work,
which no median can (benchmarks/LOG.md).

A network is used and validated in one piece, though, with whatever comes between. How
much the device adds, to the median and to the 95th percentile, is told by a few
networks that are measured for as long as validation would: two ratios of the device.
These pieces lie spread over the whole time, since a device that is fast for one minute
and slow for the next shows one face only in pieces that lie together. The ratio to the
median is the typical piece's. That to the 95th percentile is one of the slowest's: a
limit has to hold in the device's bad minutes too.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zonas_edge.device.job import Job, Repeats
from zonas_edge.device.measurement import Machine, Measurement
from zonas_edge.device.process import Progress
from zonas_edge.device.target import Target
from zonas_edge.profile import RuntimeLimits

VISIT = Repeats(runs=12, seconds=0.03, least=8, warmup=3)
LONG = Repeats(runs=1000, seconds=2.0, least=100, warmup=50)
PIECES = 24
SLOW_PIECE = 0.95
"""Of the pieces, so many are no slower than the one that p95 is taken from."""
IMAGES = 1


@dataclass(frozen=True)
class Piece:
    """A network measured in one piece.

    Args:
        network: its index.
        p50_ms: median.
        p95_ms: 95th percentile.
    """

    network: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Timings:
    """What was measured.

    Args:
        undisturbed_ms: of each network, in the order given.
        p50_ms: of each network, the median of its visits' medians.
        pieces: what was measured in one piece, in the order of time.
        p50_over_undisturbed: of the device, the median of a typical piece over that,
            >= 1.
        p95_over_p50: of the device, the 95th percentile of a slow piece over the median
            of a typical one, >= 1.
        machine: that measured.
    """

    undisturbed_ms: tuple[float, ...]
    p50_ms: tuple[float, ...]
    pieces: tuple[Piece, ...]
    p50_over_undisturbed: float
    p95_over_p50: float
    machine: Machine


@dataclass(frozen=True)
class Visits:
    """What a device is asked for.

    Args:
        jobs: short visits, and between them the measurements in one piece.
        networks: the network of each job.
        pieces: for each job, whether it is in one piece.
    """

    jobs: tuple[Job, ...]
    networks: tuple[int, ...]
    pieces: tuple[bool, ...]


def seconds_of(
    times_ms: Sequence[float],
    *,
    rounds: int,
    visit: Repeats = VISIT,
    pieces: int = PIECES,
) -> float:
    """Seconds that measuring networks takes, apart from loading their files.

    Args:
        times_ms: what each is expected to take [ms].
        rounds: visits of each.
        visit: how long each visit is.
        pieces: networks that are measured in one piece too, at most.
    """
    short = sum(_lasts(visit, time) for time in times_ms)
    long = sum(_lasts(LONG, time) for time in times_ms) / len(times_ms)
    return rounds * short + min(pieces, len(times_ms)) * long


def _lasts(repeats: Repeats, time_ms: float) -> float:
    """Seconds of one measurement of a network that takes so long."""
    runs = min(repeats.runs, max(repeats.least, repeats.seconds * 1e3 / time_ms))
    return (repeats.warmup + runs) * time_ms / 1e3


def plan_visits(
    models: Sequence[Path],
    images: Path,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    visit: Repeats = VISIT,
    pieces: int = PIECES,
) -> Visits:
    """Visit every network ``rounds`` times in random order, and a few in one piece.

    Args:
        models: ONNX files.
        images: .npy of uint8 [N, C, H, W].
        runtime: threads and provider.
        rounds: visits of each.
        rng: decides the order.
        visit: how long each visit is.
        pieces: networks that are measured in one piece too, at most.
    """
    order = [int(n) for _ in range(rounds) for n in rng.permutation(len(models))]
    whole = [int(n) for n in rng.permutation(len(models))[:pieces]]
    asked = [(number, visit, False) for number in order]
    for index in reversed(range(len(whole))):  # from behind: places stay right
        place = (index + 1) * len(order) // len(whole)
        asked.insert(place, (whole[index], LONG, True))
    return Visits(
        jobs=tuple(
            _job(models[n], images, runtime, repeats) for n, repeats, _ in asked
        ),
        networks=tuple(number for number, _, _ in asked),
        pieces=tuple(piece for _, _, piece in asked),
    )


def _timings_of(visits: Visits, measured: Sequence[Measurement]) -> Timings:
    """What measurements tell of each network.

    Args:
        visits: what was asked for.
        measured: the answers, in the same order.
    """
    lowest = _undisturbed(visits, measured)
    medians: list[list[float]] = [[] for _ in lowest]
    whole: list[Piece] = []
    for number, piece, found in zip(
        visits.networks, visits.pieces, measured, strict=True
    ):
        answer = found.answer.latency_ms
        if piece:
            whole.append(Piece(number, answer.p50, answer.p95))
        else:
            medians[number].append(answer.p50)
    p50 = [piece.p50_ms / lowest[piece.network] for piece in whole]
    p95 = [piece.p95_ms / lowest[piece.network] for piece in whole]
    typical = max(1.0, float(np.median(p50)))
    return Timings(
        undisturbed_ms=lowest,
        p50_ms=tuple(float(np.median(those)) for those in medians),
        pieces=tuple(whole),
        p50_over_undisturbed=typical,
        p95_over_p50=max(1.0, float(np.quantile(p95, SLOW_PIECE)) / typical),
        machine=measured[0].answer.machine,
    )


def _undisturbed(visits: Visits, measured: Sequence[Measurement]) -> tuple[float, ...]:
    """The lowest 10th percentile of each network's short visits [ms]."""
    lowest = [math.inf] * (max(visits.networks) + 1)
    for number, piece, found in zip(
        visits.networks, visits.pieces, measured, strict=True
    ):
        answer = found.answer.latency_ms
        if not piece:
            lowest[number] = min(lowest[number], answer.p10 or answer.p50)
    return tuple(lowest)


def undisturbed_ms(
    target: Target,
    models: Sequence[Path],
    images: Path,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[float, ...]:
    """What each network takes while nothing comes between, by short visits alone.

    Args:
        target: what measures.
        models: ONNX files.
        images: .npy of uint8 [N, C, H, W].
        runtime: threads and provider.
        rounds: visits of each.
        rng: decides the order.
        progress: is called with each line of progress.

    Raises:
        ZonasError: as ``measure_networks``.
    """
    visits = plan_visits(models, images, runtime, rounds=rounds, rng=rng, pieces=0)
    return _undisturbed(visits, target.measure(visits.jobs, _thinned(progress)))


def measure_networks(
    target: Target,
    models: Sequence[Path],
    images: Path,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    progress: Progress,
    visit: Repeats = VISIT,
) -> Timings:
    """Measure every network as ``plan_visits`` has it.

    Args:
        target: what measures.
        models: ONNX files.
        images: .npy of uint8 [N, C, H, W].
        runtime: threads and provider.
        rounds: visits of each.
        rng: decides the order.
        progress: is called with each line of progress.
        visit: how long each visit is.

    Raises:
        UsageError: a file is missing, or there is no space.
        IncompatibleError: a network doesn't load or run there.
        TargetError: the device can't be reached, or doesn't have the provider.
    """
    visits = plan_visits(models, images, runtime, rounds=rounds, rng=rng, visit=visit)
    return _timings_of(visits, target.measure(visits.jobs, _thinned(progress)))


def machine_of(
    target: Target, model: Path, images: Path, runtime: RuntimeLimits
) -> Machine:
    """The facts of the machine that would measure, from one short visit."""
    (found,) = target.measure([_job(model, images, runtime, VISIT)])
    return found.answer.machine


def _job(model: Path, images: Path, runtime: RuntimeLimits, repeats: Repeats) -> Job:
    threads, provider = runtime.threads, runtime.provider
    return Job(model, images, None, threads, provider, repeats)


def _thinned(progress: Progress) -> Progress:
    """Of the runner's line for every visit, each hundredth and the last."""

    def tell(line: str) -> None:
        found = re.match(r"model (\d+) of (\d+): ", line)
        if found is None:
            progress(line)
            return
        number, count = map(int, found.groups())
        if number % 100 == 0 or number == count:
            progress(f"measuring: visit {number:,} of {count:,}")

    return tell
