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
"""

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
LONG_VISITS = 12
IMAGES = 1


@dataclass(frozen=True)
class Timings:
    """What was measured.

    Args:
        undisturbed_ms: of each network, in the order given.
        p50_ms: of each network, the median of its visits' medians.
        p50_over_undisturbed: of the device, a median in one piece over that, >= 1.
        p95_over_p50: of the device, in one piece, >= 1.
        machine: that measured.
    """

    undisturbed_ms: tuple[float, ...]
    p50_ms: tuple[float, ...]
    p50_over_undisturbed: float
    p95_over_p50: float
    machine: Machine


@dataclass(frozen=True)
class Visits:
    """What a device is asked for.

    Args:
        jobs: the visits in their order, then the measurements in one piece.
        order: the network of each visit.
        whole: the networks that are measured in one piece.
    """

    jobs: tuple[Job, ...]
    order: tuple[int, ...]
    whole: tuple[int, ...]


def plan_visits(
    models: Sequence[Path],
    images: Path,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    visit: Repeats = VISIT,
) -> Visits:
    """Visit every network ``rounds`` times in random order, and a few in one piece.

    Args:
        models: ONNX files.
        images: .npy of uint8 [N, C, H, W].
        runtime: threads and provider.
        rounds: visits of each.
        rng: decides the order.
        visit: how long each visit is.
    """
    order = [int(n) for _ in range(rounds) for n in rng.permutation(len(models))]
    visits = [(models[number], visit) for number in order]
    whole = [int(n) for n in rng.permutation(len(models))[:LONG_VISITS]]
    visits += [(models[number], LONG) for number in whole]
    jobs = [_job(model, images, runtime, repeats) for model, repeats in visits]
    return Visits(tuple(jobs), tuple(order), tuple(whole))


def _timings_of(visits: Visits, measured: Sequence[Measurement]) -> Timings:
    """What measurements tell of each network.

    Args:
        visits: what was asked for.
        measured: the answers, in the same order.
    """
    order, whole = visits.order, list(visits.whole)
    networks = max(order) + 1
    answers = [found.answer.latency_ms for found in measured]
    lowest = np.full(networks, np.inf)
    medians: list[list[float]] = [[] for _ in range(networks)]
    for number, answer in zip(order, answers[: len(order)], strict=True):
        lowest[number] = min(lowest[number], answer.p10 or answer.p50)
        medians[number].append(answer.p50)
    p50, p95 = (
        np.array([getattr(one, key) for one in answers[len(order) :]])
        for key in ("p50", "p95")
    )
    return Timings(
        undisturbed_ms=tuple(float(time) for time in lowest),
        p50_ms=tuple(float(np.median(those)) for those in medians),
        p50_over_undisturbed=max(1.0, float(np.median(p50 / lowest[whole]))),
        p95_over_p50=max(1.0, float(np.median(p95 / p50))),
        machine=measured[0].answer.machine,
    )


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
