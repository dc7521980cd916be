"""This machine as a target.

The runner runs in a process of its own, isolated from the environment: peak memory
and timings are then those of a device process, without torch in it, and a runtime
that dies of an illegal instruction doesn't take the command along.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zonas_edge.device.measurement import Measurement, read_answer
from zonas_edge.errors import (
    AcceptanceError,
    IncompatibleError,
    TargetError,
    UsageError,
    ZonasError,
)

RUNNER = Path(__file__).with_name("runner.py")


@dataclass(frozen=True)
class Repeats:
    """How often a latency is measured: ``runs``, or once ``seconds`` pass ``least``."""

    runs: int = 1000
    seconds: float = 5.0
    least: int = 100
    warmup: int = 50


def measure_locally(
    model: Path,
    images: NDArray[np.uint8],
    golden: Path | None,
    *,
    threads: int = 1,
    provider: str = "CPUExecutionProvider",
    repeats: Repeats | None = None,
    progress: Callable[[str], None] | None = None,
) -> Measurement:
    """Measure ``model`` on this machine with ``runner.py`` in its own process.

    Args:
        model: the ONNX file.
        images: uint8 [N, C, H, W], all predicted one by one.
        golden: npz with ``images`` and ``probabilities`` for parity, or None.
        threads: intra-op threads, >= 1.
        provider: execution provider of ONNX Runtime.
        repeats: how often the latency is measured; None = 1,000 runs or 5 seconds.
        progress: is called with each line of progress.

    Raises:
        UsageError: a file is missing or damaged, or there is no space for the images.
        AcceptanceError: a probability is not finite.
        IncompatibleError: the model doesn't load or run here.
        TargetError: this machine doesn't have the provider, or the runner died.
    """
    for file in (model, golden):
        if file is not None and not file.is_file():
            raise UsageError(f"{file}: no such file", hint="zonas-edge export")
    try:
        with tempfile.TemporaryDirectory(prefix="zonas-edge-") as name:
            folder = Path(name)
            np.save(folder / "images.npy", images, allow_pickle=False)
            arguments = _arguments(model, golden, folder, repeats or Repeats())
            arguments += ["--threads", str(threads), "--provider", provider]
            code, stdout, last = _run(arguments, progress or (lambda _: None))
            answer = _answer(model, code, stdout, last)
            probabilities = np.load(folder / "probabilities.npy", allow_pickle=False)
    except OSError as error:
        raise UsageError(
            f"{error.filename or tempfile.gettempdir()}: {error.strerror or error}",
            hint="free space, or set TMPDIR to a folder that has some",
        ) from error
    try:
        return Measurement(probabilities, read_answer(answer))
    except ValueError as error:
        raise TargetError(
            "this machine: runner.py answered something else than a measurement"
        ) from error


def _arguments(
    model: Path, golden: Path | None, folder: Path, repeats: Repeats
) -> list[str]:
    """The command line of the runner; absolute paths, since it is isolated (-I)."""
    command = [sys.executable, "-I", str(RUNNER), "--model", str(model.resolve())]
    command += ["--images", str(folder / "images.npy")]
    command += ["--probabilities", str(folder / "probabilities.npy")]
    if golden is not None:
        command += ["--golden", str(golden.resolve())]
    command += ["--runs", str(repeats.runs), "--seconds", str(repeats.seconds)]
    return [*command, "--min-runs", str(repeats.least), "--warmup", str(repeats.warmup)]


def _run(
    command: list[str], progress: Callable[[str], None]
) -> tuple[int, str, str | None]:
    """Exit code, stdout and last line of stderr; the child ends with this call."""
    tail: deque[str] = deque(maxlen=1)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stdout,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as child,
    ):
        try:
            for line in child.stderr or ():
                tail.append(line.rstrip("\n"))
                progress(tail[0])
            child.wait()
        except BaseException:  # Ctrl-C above all: no child may outlive the command
            child.kill()
            raise
        stdout.seek(0)
        return child.returncode, stdout.read(), tail[0] if tail else None


def _answer(model: Path, code: int, stdout: str, last: str | None) -> dict[str, Any]:
    """The runner's JSON object, or the error that it tells."""
    if code < 0:
        raise _died(model, -code)
    try:
        answer = json.loads(stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise TargetError(
            f"this machine: runner.py ended with exit {code}, {last or 'no message'}",
            hint="python -m pip install --force-reinstall onnxruntime",
        )
    if "error" in answer:
        raise _failure(model, **answer["error"])
    return answer


def _died(model: Path, number: int) -> ZonasError:
    """A runner ended by a signal; an illegal instruction is the runtime's build."""
    if number == signal.SIGILL:
        return IncompatibleError(
            f"{model}: onnxruntime died of an illegal instruction",
            hint="install another onnxruntime; 1.21.0 does this on ARMv8.0",
        )
    return TargetError(f"this machine: runner.py was ended by signal {number}")


def _failure(model: Path, *, kind: str, message: str) -> ZonasError:
    """The error for a failure that the runner told."""
    if kind == "interrupted":
        raise KeyboardInterrupt
    match kind:
        case "load":
            return IncompatibleError(
                f"{model}: onnxruntime doesn't load it, {message}",
                hint="zonas-edge export",
            )
        case "output":
            return AcceptanceError(f"{model}: {message}")
        case "input":
            return UsageError(message, hint="zonas-edge export")
        case _:
            return TargetError(
                f"this machine: {message}", hint="set runtime.provider in the profile"
            )
