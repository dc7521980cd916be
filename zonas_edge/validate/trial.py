"""Whether an INT8 file is accepted: conditions declared beforehand, cheapest first.

An INT8 file may be slower than the float file, and decide otherwise; both depend on
the processor and on the version of ONNX Runtime. So it takes the float file's place
only if it is smaller, loses no more on the val split than the profile allows, and is
not slower: the last two on the target itself. The test split has no part in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from zonas_edge.data.dataset import Split
from zonas_edge.deploy.parity import file_probabilities
from zonas_edge.device.job import Job, Repeats, workspace
from zonas_edge.device.local import place_of
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.measuring import Timings, measure_networks
from zonas_edge.device.process import Progress
from zonas_edge.device.target import Target
from zonas_edge.figures import digits, share
from zonas_edge.metrics import Probabilities
from zonas_edge.profile import DeviceProfile, Quantization, RuntimeLimits
from zonas_edge.validate.beside import Changed, Speed, changed
from zonas_edge.validate.host import LatencyHost, check_runtime, host_of

ROUNDS = 24
VISIT = Repeats(runs=40, seconds=0.15, least=10, warmup=5)
PREDICTING = Repeats(runs=1, warmup=0)
LATENCY_IMAGES = 8
ROUNDING = 1e-9
"""Of a difference of two shares, which must not refuse a drop that is just allowed."""


@dataclass(frozen=True)
class Trial:
    """What became of an INT8 file.

    Args:
        accepted: whether it is delivered beside the float file.
        reason: why not, in one line; None if it is accepted.
        float32_bytes: size of the float file.
        model_bytes: size of the INT8 file.
        val: decisions of both on the val split, the INT8 file's on the target if it
            came that far; None if its size had refused it before.
        speed: of both on the target, None if something else had refused it before.
    """

    accepted: bool
    reason: str | None
    float32_bytes: int
    model_bytes: int
    val: Changed | None = None
    speed: Speed | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Trial":
        """Read what ``to_dict`` gave, and maybe more beside it.

        Raises:
            ValueError: a key is missing or of another type (pydantic's
                ValidationError).
        """
        return _TRIAL.validate_python(data)


_TRIAL: TypeAdapter[Trial] = TypeAdapter(Trial)


@dataclass(frozen=True)
class Candidate:
    """The two files, and what they are tried on.

    Args:
        float32: the exported file.
        int8: the file made of it.
        golden: the INT8 file's golden vectors.
        val: the split that decides.
        class_names: in order of the probabilities.
    """

    float32: Path
    int8: Path
    golden: Path
    val: Split
    class_names: tuple[str, ...]


def try_int8(
    candidate: Candidate,
    profile: DeviceProfile,
    *,
    target: Target,
    seed: int,
    progress: Progress,
) -> Trial:
    """Hold an INT8 file against the profile's conditions.

    Args:
        candidate: the two files.
        profile: the conditions, and the device.
        target: where accuracy and latency are measured.
        seed: decides the order of measuring, >= 0.
        progress: is called with each line of progress.

    Raises:
        IncompatibleError: a file doesn't load there, or the profile doesn't allow the
            device's runtime.
        AcceptanceError: a probability is not finite.
        TargetError: the target can't be reached, or doesn't answer.
        UsageError: there is no space for temporary files.
    """
    trial = Trial(
        accepted=False,
        reason=None,
        float32_bytes=candidate.float32.stat().st_size,
        model_bytes=candidate.int8.stat().st_size,
    )
    if trial.model_bytes >= trial.float32_bytes:
        larger = f"not smaller: {trial.model_bytes:,} bytes, float32"
        return replace(trial, reason=f"{larger} {trial.float32_bytes:,}")
    progress("int8: comparing decisions on every val image")
    val, limits = candidate.val, profile.quantization
    before = file_probabilities(candidate.float32.read_bytes(), val.images)
    after = file_probabilities(candidate.int8.read_bytes(), val.images, as_written=True)
    here = _compared(candidate, before, after)
    if (reason := exceeded(here, limits)) is not None:
        return replace(trial, reason=reason, val=here)
    with _images(val) as (whole, few):
        found = _predict(candidate, whole, profile.runtime, target, progress)
        machine = found.answer.machine
        check_runtime(machine, profile, target.name)
        there = _compared(candidate, before, found.probabilities)
        if (reason := _unequal(found) or exceeded(there, limits)) is not None:
            return replace(
                trial, reason=f"{place_of(target.name)}: {reason}", val=there
            )
        times = measure_networks(
            target,
            [candidate.float32, candidate.int8],
            few,
            profile.runtime,
            rounds=ROUNDS,
            rng=np.random.default_rng(seed),
            progress=progress,
            visit=VISIT,
        )
    host = host_of(machine, profile.device, target.name)
    speed = _speed(times, host, profile.runtime)
    reason = _slower(speed, target)
    return replace(
        trial, accepted=reason is None, reason=reason, val=there, speed=speed
    )


def _compared(
    candidate: Candidate, before: Probabilities, after: Probabilities
) -> Changed:
    labels = candidate.val.labels
    return changed("val", labels, before, after, candidate.class_names)


def _predict(
    candidate: Candidate,
    images: Path,
    runtime: RuntimeLimits,
    target: Target,
    progress: Progress,
) -> Measurement:
    """What the INT8 file says of the images on the target."""
    job = Job(
        candidate.int8,
        images,
        candidate.golden,
        runtime.threads,
        runtime.provider,
        PREDICTING,
    )
    (found,) = target.measure([job], progress)
    return found


def exceeded(found: Changed, limits: Quantization) -> str | None:
    """The first limit that the decisions on the val split exceed, in words, or None."""
    drop = found.float32_accuracy - found.accuracy
    if drop > limits.max_accuracy_drop + ROUNDING:
        allowed = limits.max_accuracy_drop
        return (
            f"val accuracy falls by {digits(drop, allowed, least=4)},"
            f" from {share(found.float32_accuracy)} to {share(found.accuracy)};"
            f" quantization.max_accuracy_drop is {allowed:g}"
        )
    for name, lost in sorted(found.drops.items(), key=lambda item: -item[1]):
        key, allowed = "max_sensitivity_drop", limits.max_sensitivity_drop
        if name in limits.max_sensitivity_drop_of:
            key, allowed = f"{key}_of", limits.max_sensitivity_drop_of[name]
        if lost > allowed + ROUNDING:
            return (
                f"val sensitivity of {name} falls by {digits(lost, allowed, least=4)};"
                f" quantization.{key} is {allowed:g}"
            )
    return None


def _unequal(found: Measurement) -> str | None:
    """In words, that the target doesn't say what the file says here, or None."""
    parity = found.answer.parity
    if parity is None or parity.passed:
        return None
    return (
        f"{parity.decisions_changed} of {parity.images} golden decisions changed,"
        f" probabilities by up to {parity.max_abs_dp:.1e}"
    )


def _slower(speed: Speed, target: Target) -> str | None:
    if speed.int8_ms <= speed.float32_ms:
        return None
    int8 = digits(speed.int8_ms, speed.float32_ms)
    float32 = digits(speed.float32_ms, speed.int8_ms)
    return (
        f"slower on {place_of(target.name)}{speed.host.stranger}: {int8} ms"
        f" undisturbed, float32 {float32} ms"
    )


@contextmanager
def _images(val: Split) -> Iterator[tuple[Path, Path]]:
    """Files of all val images, and of a few."""
    with workspace() as folder:
        whole, few = folder / "val.npy", folder / "few.npy"
        np.save(whole, val.images, allow_pickle=False)
        np.save(few, val.images[:LATENCY_IMAGES], allow_pickle=False)
        yield whole, few


def _speed(times: Timings, host: LatencyHost, runtime: RuntimeLimits) -> Speed:
    return Speed(
        float32_ms=times.undisturbed_ms[0],
        int8_ms=times.undisturbed_ms[1],
        float32_p50_ms=times.p50_ms[0],
        int8_p50_ms=times.p50_ms[1],
        host=host,
        onnxruntime=times.machine.onnxruntime,
        threads=runtime.threads,
    )
