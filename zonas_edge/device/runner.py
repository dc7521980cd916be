"""Measure an ONNX classifier: the one file that travels to the device.

It needs numpy and onnxruntime and nothing of zonas-edge, and it is written for
Python 3.6, the newest a stock Jetson Nano has. The host measures with this very
file, so that there is one way to measure. Progress goes to stderr; stdout gets one
JSON object, also on failure.

Latency is that of single inferences, in order, after a warm-up; creating the session
and the first inference are cold start and told apart. Peak memory is read after the
latency pass and before the whole image file is, so that it is the model's and not the
test set's.

    python3 runner.py --model model.onnx --images test.npy --golden golden.npz

Exit codes: 0 measured, 2 input, 4 output, 5 load, 6 provider, 130 interrupted.
"""

import argparse
import glob
import json
import os
import platform
import sys
import time
import zipfile
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import onnxruntime

SCHEMA = 1
PARITY_TOLERANCE = 1e-4
EXIT_CODES = {"input": 2, "output": 4, "load": 5, "provider": 6, "interrupted": 130}
LATENCY_IMAGES = 64  # inputs cycle over so many: real, but not the whole file in memory
UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile)


class RunnerError(Exception):
    """A failure with a kind, one of EXIT_CODES."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def say(line: str) -> None:
    """One progress line."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def first_line(error: BaseException) -> str:
    """An exception in one line; onnxruntime's run over several."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def read_text(path: str) -> str:
    """A small system file, or nothing where the system doesn't have it."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def field(text: str, key: str) -> str:
    """The first ``key : value`` of a /proc file, or nothing."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.strip():
            return value.strip()
    return ""


def cpu_model() -> str:
    """The board, where it has a name, and the processor.

    Both are needed: a Raspberry Pi 4 calls its processor BCM2835 and a Jetson Nano
    "ARMv8 Processor", the board's name is what tells them apart.
    """
    cpuinfo = read_text("/proc/cpuinfo")
    board = field(cpuinfo, "Model") or read_text("/proc/device-tree/model")
    processor = field(cpuinfo, "model name") or field(cpuinfo, "Hardware")
    named = [name for name in (board, processor) if name]
    return "; ".join(named) or platform.processor() or platform.machine()


def temperature() -> Optional[float]:
    """Hottest thermal zone in degrees Celsius, None where none can be read."""
    degrees = []
    for path in glob.glob("/sys/class/thermal/thermal_zone*/temp"):
        try:
            degrees.append(int(read_text(path)) / 1000.0)
        except ValueError:
            continue
    return max(degrees) if degrees else None


def peak_memory() -> Optional[int]:
    """Largest resident size of this process so far, in bytes; None if unknown.

    Linux's ru_maxrss outlives exec: started from a process with torch in it, it would
    be torch's peak. VmHWM belongs to this program alone.
    """
    high_water = field(read_text("/proc/self/status"), "VmHWM").split()
    if high_water:
        return int(high_water[0]) * 1024
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if platform.system() == "Darwin" else peak * 1024


def machine_facts() -> Dict[str, Any]:
    """What a latency is worth nothing without: processor, versions, governor, heat."""
    governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return {
        "machine": platform.machine(),
        "cpu_model": cpu_model(),
        "cores": os.cpu_count() or 1,
        "governor": read_text(governor) or None,
        "temperature_c": temperature(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "providers": list(onnxruntime.get_available_providers()),
    }


def open_session(model: str, threads: int, provider: str) -> Tuple[Any, float]:
    """A session with ``threads`` intra-op threads, and the seconds it took to open."""
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise RunnerError(
            "provider", "%s is not one of %s" % (provider, ", ".join(available))
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    started = time.perf_counter()
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # onnxruntime's classes are private and vary by version
        raise RunnerError("load", first_line(error)) from error
    seconds = time.perf_counter() - started
    if session.get_providers()[0] != provider:  # it falls back without a word
        raise RunnerError("provider", "%s did not take the model" % provider)
    return session, seconds


def check_interface(session: Any, images: np.ndarray, where: str) -> None:
    """Refuse images that the model doesn't take, or a model of another kind."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        counts = (len(inputs), len(outputs))
        raise RunnerError("load", "%d inputs and %d outputs, not 1 and 1" % counts)
    taken = (inputs[0].type, list(inputs[0].shape))
    given = ("tensor(%s)" % images.dtype, [1] + list(images.shape[1:]))
    if taken != given or len(images) == 0:
        raise RunnerError(
            "input",
            "%s: %s %s, the model takes %s %s"
            % (where, images.dtype, list(images.shape), taken[0], taken[1]),
        )


def run_one(session: Any, name: str, image: np.ndarray) -> Any:
    """Class probabilities [1, K] of one image [1, C, H, W]."""
    return session.run(None, {name: image})[0]


def first_inference(session: Any, image: np.ndarray) -> float:
    """Milliseconds of the first inference, which allocates and may compile."""
    name = session.get_inputs()[0].name
    started = time.perf_counter()
    try:
        output = run_one(session, name, image)
    except Exception as error:  # as in open_session: it loaded, but does not run
        raise RunnerError("load", first_line(error)) from error
    milliseconds = (time.perf_counter() - started) * 1000.0
    if output.ndim != 2 or output.shape[0] != 1 or output.shape[1] < 2:
        raise RunnerError("load", "output is %s, not [1, K]" % list(output.shape))
    return milliseconds


def predict(session: Any, images: np.ndarray) -> np.ndarray:
    """Probabilities float32 [N, K], one image at a time as the device will see them."""
    name = session.get_inputs()[0].name
    rows: List[np.ndarray] = []
    for index in range(len(images)):
        if index % 1000 == 0:
            say("accuracy: image %d of %d" % (index, len(images)))
        row = run_one(session, name, np.ascontiguousarray(images[index : index + 1]))
        rows.append(row[0])
    probabilities: np.ndarray = np.asarray(rows, dtype=np.float32)
    if not np.isfinite(probabilities).all():
        worst = int(np.argmin(np.isfinite(probabilities).all(axis=1)))
        raise RunnerError("output", "image %d: a probability is not finite" % worst)
    return probabilities


def measure_latency(
    session: Any,
    images: np.ndarray,
    runs: int = 1000,
    seconds: float = 5.0,
    min_runs: int = 100,
    warmup: int = 50,
) -> Dict[str, Any]:
    """Milliseconds of single inferences: ``runs``, or fewer once ``seconds`` pass.

    Never fewer than ``min_runs`` (or ``runs``, if that is less). The percentiles are
    numpy's, linear between neighbours.
    """
    name = session.get_inputs()[0].name
    few = min(len(images), LATENCY_IMAGES)
    inputs = [np.array(images[index : index + 1]) for index in range(few)]
    for index in range(warmup):
        run_one(session, name, inputs[index % len(inputs)])
    times: List[float] = []
    begun = time.perf_counter()
    while len(times) < runs:
        image = inputs[len(times) % len(inputs)]
        started = time.perf_counter()
        run_one(session, name, image)
        ended = time.perf_counter()
        times.append((ended - started) * 1000.0)
        if ended - begun >= seconds and len(times) >= min_runs:
            break
    p50, p90, p95, p99 = (float(x) for x in np.percentile(times, [50, 90, 95, 99]))
    summary: Dict[str, Any] = {"mean": float(np.mean(times)), "max": max(times)}
    summary.update(p50=p50, p90=p90, p95=p95, p99=p99)
    summary.update(runs=len(times), warmup=warmup)
    return summary


def decide(probabilities: np.ndarray) -> np.ndarray:
    """The class said: of two, the second above one half; of more, the likeliest."""
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] > 0.5, dtype=np.int64)
    return np.asarray(np.argmax(probabilities, axis=1), dtype=np.int64)


def parity(here: np.ndarray, reference: np.ndarray) -> Dict[str, Any]:
    """How far probabilities measured here are from those of the training framework.

    A decision that differs where the reference's two likeliest classes are within the
    tolerance is a near-tie, counted apart.
    """
    apart = decide(here) != decide(reference)
    top = np.sort(reference, axis=1)
    tied = (top[:, -1] - top[:, -2]) <= PARITY_TOLERANCE
    changed = int(np.sum(apart & ~tied))
    largest = float(np.max(np.abs(here.astype(np.float64) - reference)))
    return {
        "images": len(here),
        "max_abs_dp": largest,
        "decisions_changed": changed,
        "near_ties": int(np.sum(apart & tied)),
        "tolerance": PARITY_TOLERANCE,
        "passed": largest <= PARITY_TOLERANCE and changed == 0,
    }


def check_parity(session: Any, path: str) -> Dict[str, Any]:
    """Replay the golden vectors of ``path`` (npz: images, probabilities)."""
    try:
        with open(path, "rb") as file:
            golden = np.load(file, allow_pickle=False)
            if isinstance(golden, np.ndarray):
                raise ValueError("an .npy file")
            images, reference = golden["images"], golden["probabilities"]
    except UNREADABLE as error:
        message = "%s: not golden vectors, %s" % (path, first_line(error))
        raise RunnerError("input", message) from error
    check_interface(session, images, path)
    here = predict(session, images)
    if reference.dtype.kind != "f" or reference.shape != here.shape:
        given = (path, reference.dtype, list(reference.shape), list(here.shape))
        raise RunnerError("input", "%s: probabilities are %s %s, not %s" % given)
    if not np.isfinite(reference).all():
        raise RunnerError("input", "%s: a probability is not finite" % path)
    return parity(here, reference)


def read_images(path: str) -> np.ndarray:
    """Images uint8 [N, C, H, W], mapped: read only when touched."""
    try:
        with open(path, "rb") as file:
            if file.read(6) != b"\x93NUMPY":  # np.load would open an archive too
                raise ValueError("it begins otherwise")
        images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        message = "%s: not an .npy file of images, %s" % (path, first_line(error))
        raise RunnerError("input", message) from error
    return images


def measure(options: argparse.Namespace) -> Dict[str, Any]:
    """All that is asked for, in the order that keeps peak memory the model's."""
    before = peak_memory()
    images = read_images(options.images)
    say("load: %s" % options.model)
    session, seconds = open_session(options.model, options.threads, options.provider)
    check_interface(session, images, options.images)
    cold = first_inference(session, np.array(images[:1]))
    say("latency: at most %d runs or %g s" % (options.runs, options.seconds))
    latency = measure_latency(
        session,
        images,
        options.runs,
        options.seconds,
        options.min_runs,
        options.warmup,
    )
    latency.update(first_inference=cold, session_seconds=seconds)
    latency.update(threads=options.threads, provider=options.provider)
    memory = {"peak_bytes": peak_memory(), "before_model_bytes": before}
    probabilities = predict(session, images)
    if options.probabilities:
        try:
            np.save(options.probabilities, probabilities)
        except OSError as error:
            raise RunnerError("input", first_line(error)) from error
    return {
        "schema": SCHEMA,
        "images": len(images),
        "latency_ms": latency,
        "memory": memory,
        "parity": check_parity(session, options.golden) if options.golden else None,
        "machine": machine_facts(),
    }


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The command line; argparse itself ends a wrong one with exit 2."""
    parser = argparse.ArgumentParser(description="Measure an ONNX classifier.")
    parser.add_argument("--model", required=True, help="the .onnx file")
    parser.add_argument("--images", required=True, help=".npy, uint8 [N, C, H, W]")
    parser.add_argument("--golden", help=".npz with images and probabilities")
    parser.add_argument("--probabilities", help="write float32 [N, K] to this .npy")
    parser.add_argument("--threads", type=positive, default=1, help="intra-op")
    parser.add_argument("--provider", default="CPUExecutionProvider")
    parser.add_argument("--runs", type=positive, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="stop after these")
    parser.add_argument("--min-runs", type=positive, default=100)
    parser.add_argument("--warmup", type=positive, default=50)
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure, write one JSON object to stdout, return the exit code."""
    try:
        answer, code = measure(parse(arguments)), 0
    except RunnerError as error:
        answer = {"error": {"kind": error.kind, "message": str(error)}}
        code = EXIT_CODES[error.kind]
    except KeyboardInterrupt:
        answer = {"error": {"kind": "interrupted", "message": "interrupted"}}
        code = EXIT_CODES["interrupted"]
    sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
