"""What came back from a runner: measurements, or the error that it tells.

The words and exit codes are the same wherever it ran; only the place differs.
"""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from zonas_edge.device.job import SCHEMA, Job, sha256_of_file
from zonas_edge.device.measurement import Measurement, read_measurement
from zonas_edge.device.process import Ended
from zonas_edge.errors import (
    AcceptanceError,
    IncompatibleError,
    TargetError,
    UsageError,
    ZonasError,
)

NO_INTERPRETER = (126, 127)
"""A shell's exit codes for a command that it can't run, or doesn't find."""

LAST_SIGNAL = 64
"""A shell's exit codes above 128 are signals up to this one."""


@dataclass(frozen=True)
class _Failure:
    """What the runner says of a failure."""

    kind: str
    message: str
    job: int = 0
    onnxruntime: str = ""


_FAILURE: TypeAdapter[_Failure] = TypeAdapter(_Failure)


def read_ended(
    ended: Ended, jobs: Sequence[Job], where: str, python: str
) -> tuple[Measurement, ...]:
    """The measurements that a runner has written to its stdout.

    Args:
        ended: how it ended.
        jobs: what it was given.
        where: the machine, as the user named it.
        python: the interpreter, as the user named it.

    Raises:
        UsageError: a file of a job is damaged.
        AcceptanceError: a probability is not finite.
        IncompatibleError: a model doesn't load or run there.
        TargetError: it doesn't answer, or not with measurements.
    """
    lines = ended.stdout.strip().splitlines()
    answer = parsed(lines[-1]) if lines else None  # a shell's own words may come first
    if answer is None:
        raise _silent(ended, jobs, where, python)
    try:
        return read_answers(answer, jobs, where)
    except ValueError as error:
        raise TargetError(
            f"{where}: runner.py answered something else than a measurement"
        ) from error


def read_answers(
    answer: dict[str, Any], jobs: Sequence[Job], where: str
) -> tuple[Measurement, ...]:
    """The measurements in a runner's answer to some jobs.

    Raises:
        UsageError, AcceptanceError, IncompatibleError, TargetError: what the runner
            tells of a failure, as ``read_ended``.
        ValueError: this is no answer to these jobs.
    """
    try:
        if "error" in answer:
            raise _told(_FAILURE.validate_python(answer["error"]), jobs, where)
        found = tuple(read_measurement(result) for result in answer["results"])
    except (KeyError, TypeError) as error:
        raise ValueError("no results") from error
    if any(
        (job.golden is None) != (one.answer.parity is None)
        for job, one in zip(jobs, found, strict=False)
    ):
        raise ValueError("golden vectors were not replayed")
    models = {job.model for job in jobs}
    hashes: dict[Path, str] = {model: sha256_of_file(model) for model in models}
    told = [measurement.answer.model_sha256 for measurement in found]
    if answer.get("schema") != SCHEMA or told != [hashes[job.model] for job in jobs]:
        raise ValueError("other jobs")
    return found


def parsed(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, or None if it holds no such thing."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _silent(ended: Ended, jobs: Sequence[Job], where: str, python: str) -> ZonasError:
    """The error for a runner that has said nothing."""
    last = next((line for line in reversed(ended.lines) if line.strip()), "no message")
    number = -ended.code if ended.code < 0 else ended.code - 128
    if ended.code in NO_INTERPRETER:
        return TargetError(
            f"{where}: no interpreter {python}, {last}",
            hint="--python with the path of a Python 3.6 or later there",
        )
    if number == signal.SIGILL:
        return IncompatibleError(
            f"{jobs[0].model}: numpy or onnxruntime on {where} died of an illegal"
            " instruction",
            hint="install other versions there; onnxruntime 1.21.0 does this on"
            " ARMv8.0",
        )
    if 0 < number <= LAST_SIGNAL:
        return TargetError(f"{where}: runner.py was ended by signal {number}")
    if last.startswith("SyntaxError"):
        return TargetError(
            f"{where}: {python} is older than Python 3.6",
            hint="--python with the path of a Python 3.6 or later there",
        )
    return TargetError(
        f"{where}: runner.py ended with exit {ended.code}, {last}",
        hint=f"{python} -m pip install --force-reinstall onnxruntime",
    )


def _told(failure: _Failure, jobs: Sequence[Job], where: str) -> ZonasError:
    """The error for a failure that the runner has told."""
    model = jobs[failure.job].model if 0 <= failure.job < len(jobs) else where
    match failure.kind:
        case "load":
            return IncompatibleError(
                f"{model}: onnxruntime {failure.onnxruntime} on {where} doesn't load"
                f" it, {failure.message}",
                hint="zonas-edge check FILE --profile NAME",
            )
        case "output":
            return AcceptanceError(f"{model}: {failure.message}")
        case "input":
            return UsageError(failure.message, hint="zonas-edge export RUN")
        case "module":
            return TargetError(
                f"{where}: {failure.message}",
                hint="there: python3 -m pip install numpy onnxruntime",
            )
        case "provider":
            return TargetError(
                f"{where}: {failure.message}",
                hint="set runtime.provider in the profile",
            )
        case _:
            return TargetError(f"{where}: {failure.message}")
