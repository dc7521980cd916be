"""Measuring many networks on one device, fairly and against its noise.

A device is never alone: other programs take its processor for a while, its clock goes
up and down. Whatever comes between makes a network slower, never faster. So each one is
visited several times, in another random order every round, each visit short and with a
session of its own; and what counts is the lowest of the visits' medians, called
undisturbed: that network's median while the device did nothing else. It can be told
within a few percent beside other work, which no median of one piece can.

A network is used and validated in one piece, though, with whatever comes between. How
much the device adds, to the median and to the 95th percentile, is told by a few
networks that are measured for as long as validation would: two ratios of the device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zonas_edge.device import runner
from zonas_edge.device.local import Repeats
from zonas_edge.device.measurement import Latency, Machine
from zonas_edge.errors import IncompatibleError, TargetError, UsageError
from zonas_edge.profile import RuntimeLimits

Progress = Callable[[str], None]

VISIT = Repeats(runs=12, seconds=0.03, least=8, warmup=3)
LONG = Repeats(runs=1000, seconds=2.0, least=100, warmup=50)
LONG_VISITS = 12
IMAGES = 4


@dataclass(frozen=True)
class Timings:
    """What was measured.

    Args:
        undisturbed_ms: of each network, in the order given.
        p50_over_undisturbed: of the device, a median in one piece over that, >= 1.
        p95_over_p50: of the device, in one piece, >= 1.
        machine: that measured.
    """

    undisturbed_ms: tuple[float, ...]
    p50_over_undisturbed: float
    p95_over_p50: float
    machine: Machine


def measure_networks(
    models: Sequence[Path],
    images: Path,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    progress: Progress,
    visit: Repeats = VISIT,
) -> Timings:
    """Measure every network ``rounds`` times, in random order.

    Args:
        models: ONNX files.
        images: .npy of uint8 [N, C, H, W].
        runtime: threads and provider.
        rounds: visits of each.
        rng: decides the order.
        progress: is called with each line of progress.
        visit: how long each visit is.

    Raises:
        UsageError: a file can't be read.
        IncompatibleError: a network doesn't load or run there.
        TargetError: the device doesn't have the provider.
    """
    order = [int(n) for _ in range(rounds) for n in rng.permutation(len(models))]
    visits = [(models[number], visit) for number in order]
    chosen = rng.permutation(len(models))[:LONG_VISITS]
    visits += [(models[number], LONG) for number in chosen]
    answers, machine = _measure(visits, images, runtime, progress)
    lowest = np.full(len(models), np.inf)
    for number, answer in zip(order, answers[: len(order)], strict=True):
        lowest[number] = min(lowest[number], answer.p50)
    whole = answers[len(order) :]
    p50, p95 = (
        np.array([getattr(one, key) for one in whole]) for key in ("p50", "p95")
    )
    return Timings(
        undisturbed_ms=tuple(float(median) for median in lowest),
        p50_over_undisturbed=max(1.0, float(np.median(p50 / lowest[chosen]))),
        p95_over_p50=max(1.0, float(np.median(p95 / p50))),
        machine=machine,
    )


def this_machine() -> Machine:
    """The facts of the machine that would measure."""
    facts = runner.machine_facts()
    return Machine(**facts | {"providers": tuple(facts["providers"])})


def _measure(
    visits: Sequence[tuple[Path, Repeats]],
    images: Path,
    runtime: RuntimeLimits,
    progress: Progress,
) -> tuple[list[Latency], Machine]:
    """One latency a visit, on this machine: the one place that knows where."""
    found = []
    try:
        pixels = runner.read_images(str(images))
        for number, (model, repeats) in enumerate(visits, 1):
            if number % 100 == 0 or number == len(visits):
                progress(f"measuring: visit {number:,} of {len(visits):,}")
            found.append(_visit(model, pixels, repeats, runtime))
    except runner.RunnerError as error:
        raise _told(error) from error
    return found, this_machine()


def _visit(
    model: Path,
    pixels: np.ndarray,
    repeats: Repeats,
    runtime: RuntimeLimits,
) -> Latency:
    threads, provider = runtime.threads, runtime.provider
    session, seconds = runner.open_session(str(model), threads, provider)
    cold = runner.first_inference(session, np.array(pixels[:1]))
    times = runner.measure_latency(
        session, pixels, repeats.runs, repeats.seconds, repeats.least, repeats.warmup
    )
    return Latency(
        **times,
        first_inference=cold,
        session_seconds=seconds,
        threads=threads,
        provider=provider,
    )


def _told(
    error: runner.RunnerError,
) -> UsageError | IncompatibleError | TargetError:
    """The runner's failure as one of ours."""
    message = f"this machine: {error}"
    if error.kind == "input":
        return UsageError(message)
    if error.kind == "load":
        return IncompatibleError(message)
    return TargetError(message, "set runtime.provider in the profile")
