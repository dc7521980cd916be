"""Measure ONNX classifiers: the one file that travels to the device.

It needs numpy and onnxruntime and nothing of zonas-edge, and it is written for
Python 3.6, the newest a stock Jetson Nano has. The host measures with this very
file, so that there is one way to measure. What to measure stands in a JSON file of
jobs, with paths that are relative to it. Progress goes to stderr, the answer is one
JSON object, also on failure.

    python3 runner.py                    the jobs of manifest.json beside this file;
                                         the answer goes to measurement.json there
    python3 runner.py --jobs jobs.json   these jobs; the answer goes to stdout

Latency is that of single inferences, in order, after a warm-up; creating the session
and the first inference are cold start and told apart. Peak memory is read after the
latency pass and before the whole image file is, so that it is the model's and not the
test set's; of several jobs no peak is any one model's, and none is told.

Exit codes: 0 measured, 2 input, 4 output, 5 load, 6 provider or a module that is
missing, 130 interrupted.
"""

import argparse
import base64
import glob
import hashlib
import json
import os
import platform
import re
import sys
import time
import zipfile
from typing import Any, Callable, Dict, List, Optional, Tuple

SCHEMA = 1
MANIFEST = "manifest.json"
REPORT = "measurement.json"
HERE = os.path.dirname(os.path.abspath(__file__))

# Newer builds of ONNX Runtime report to their maker unless told not to beforehand.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# numpy 1.19.5, the newest for Python 3.6, dies of an illegal instruction on a Jetson
# while its OpenBLAS finds out the core (numpy issue 18131); nothing here needs BLAS.
if __name__ == "__main__" and platform.machine() == "aarch64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "ARMV8")


def say(line: str) -> None:
    """One progress line."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def silent(line: str) -> None:
    """No progress line: of hundreds of jobs each has one, and nothing more."""


def first_line(error: BaseException) -> str:
    """An exception in one line; onnxruntime's run over several."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def keep(answer: Dict[str, Any]) -> bool:
    """Write the answer beside this file, and say so; False if the system refuses."""
    path = os.path.join(HERE, REPORT)
    try:
        with open(path + ".new", "w") as file:
            file.write(json.dumps(answer, allow_nan=False) + "\n")
        os.replace(path + ".new", path)
    except OSError as error:
        say("error: %s" % first_line(error))
        say("hint: copy this folder to where it can be written, and start again")
        return False
    say("bring back this file: %s" % path)
    return True


try:
    import numpy as np
    import onnxruntime
except ImportError as missing:
    say("error: %s" % first_line(missing))
    say("hint: python3 -m pip install numpy onnxruntime")
    told = {"kind": "module", "message": first_line(missing)}
    failed = {"schema": SCHEMA, "error": told}
    if __name__ == "__main__" and len(sys.argv) == 1:
        keep(failed)
    else:
        sys.stdout.write(json.dumps(failed) + "\n")
    sys.exit(6)

PARITY_TOLERANCE = 1e-4
EXIT_CODES = {
    "input": 2,
    "output": 4,
    "load": 5,
    "provider": 6,
    "module": 6,
    "interrupted": 130,
}
JOB_KEYS = ["model", "model_sha256", "images", "golden", "threads", "provider"]
JOB_KEYS += ["runs", "seconds", "min_runs", "warmup"]
LATENCY_IMAGES = 64  # inputs cycle over so many: real, but not the whole file in memory
UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile)


class RunnerError(Exception):
    """A failure with a kind, one of EXIT_CODES."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.job = 0
        self.model_sha256 = None  # type: Optional[str]


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


def emulator() -> Optional[str]:
    """The emulator this process runs under, whose times mean nothing; None if none.

    qemu's user mode shows its guest another machine, but not itself: the process has
    its name, or, where the kernel started it for a foreign program (binfmt, a container
    of another platform), the thread's program is qemu's. Rosetta calls its processor
    VirtualApple, and what names an implementer in /proc/cpuinfo is an Arm.
    """
    try:
        program = os.path.basename(os.readlink("/proc/thread-self/exe"))
    except OSError:  # no such link in an old kernel, or not Linux
        program = ""
    for name in (field(read_text("/proc/self/status"), "Name"), program):
        if name.startswith("qemu-"):
            return name
    cpuinfo = read_text("/proc/cpuinfo")
    if "VirtualApple" in cpuinfo:
        return "Rosetta"
    on_x86 = platform.machine() in ("x86_64", "AMD64", "i686")
    return "an Arm" if on_x86 and field(cpuinfo, "CPU implementer") else None


def highest_of(pattern: str) -> Optional[int]:
    """The highest number in small system files, None where none can be read."""
    numbers = []
    for path in glob.glob(pattern):
        try:
            numbers.append(int(read_text(path)))
        except ValueError:
            continue
    return max(numbers) if numbers else None


def temperature() -> Optional[float]:
    """Hottest thermal zone in degrees Celsius, None where none can be read."""
    highest = highest_of("/sys/class/thermal/thermal_zone*/temp")
    return None if highest is None else highest / 1000.0


def max_mhz() -> Optional[int]:
    """Highest clock that any core may run at now, in MHz; None if unknown."""
    highest = highest_of("/sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq")
    return None if highest is None else highest // 1000


def power_mode() -> Optional[str]:
    """A Jetson's power mode as ``15W (0)``; None on any other machine."""
    kept = re.match(r"pmode:(\d+)", read_text("/var/lib/nvpmodel/status"))
    if kept is None:
        return None
    number = int(kept.group(1))
    modes = read_text("/etc/nvpmodel.conf")
    named = re.search(r"<\s*POWER_MODEL\s+ID=%d\s+NAME=(\S+)" % number, modes)
    return "%s (%d)" % (named.group(1), number) if named else str(number)


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
    """What a latency is worth nothing without: processor, its state, versions, time."""
    governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return {
        "machine": platform.machine(),
        "cpu_model": cpu_model(),
        "emulator": emulator(),
        "cores": os.cpu_count() or 1,
        "governor": read_text(governor) or None,
        "max_mhz": max_mhz(),
        "power_mode": power_mode(),
        "temperature_c": temperature(),
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
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
    try:
        return session.run(None, {name: image})[0]
    except Exception as error:  # as in open_session: it loaded, but does not run
        raise RunnerError("load", first_line(error)) from error


def first_inference(session: Any, image: np.ndarray) -> float:
    """Milliseconds of the first inference, which allocates and may compile."""
    name = session.get_inputs()[0].name
    started = time.perf_counter()
    output = run_one(session, name, image)
    milliseconds = (time.perf_counter() - started) * 1000.0
    if output.ndim != 2 or output.shape[0] != 1 or output.shape[1] < 2:
        raise RunnerError("load", "output is %s, not [1, K]" % list(output.shape))
    return milliseconds


def predict(session: Any, images: np.ndarray, tell: Callable[[str], None]) -> Any:
    """Probabilities float32 [N, K], one image at a time as the device will see them."""
    name = session.get_inputs()[0].name
    rows: List[np.ndarray] = []
    for index in range(len(images)):
        if index % 1000 == 0:
            tell("accuracy: image %d of %d" % (index, len(images)))
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
    ranks = (10, 50, 90, 95, 99)
    summary: Dict[str, Any] = {"mean": float(np.mean(times)), "max": max(times)}
    for rank, percentile in zip(ranks, np.percentile(times, ranks)):
        summary["p%d" % rank] = float(percentile)
    summary.update(runs=len(times), warmup=warmup)
    return summary


def decide(probabilities: np.ndarray) -> np.ndarray:
    """The class said: of two, the second above one half; of more, the likeliest."""
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] > 0.5, dtype=np.int64)
    return np.asarray(np.argmax(probabilities, axis=1), dtype=np.int64)


def parity(
    here: np.ndarray, reference: np.ndarray, tolerance: float = PARITY_TOLERANCE
) -> Dict[str, Any]:
    """How far probabilities measured here are from those of the golden vectors.

    A decision that differs where the reference's two likeliest classes are within the
    tolerance is a near-tie, counted apart.
    """
    apart = decide(here) != decide(reference)
    top = np.sort(reference, axis=1)
    tied = (top[:, -1] - top[:, -2]) <= tolerance
    changed = int(np.sum(apart & ~tied))
    largest = float(np.max(np.abs(here.astype(np.float64) - reference)))
    return {
        "images": len(here),
        "max_abs_dp": largest,
        "decisions_changed": changed,
        "near_ties": int(np.sum(apart & tied)),
        "tolerance": tolerance,
        "passed": largest <= tolerance and changed == 0,
    }


def check_parity(
    session: Any, path: str, tell: Callable[[str], None]
) -> Dict[str, Any]:
    """Replay the golden vectors of ``path`` (npz: images, probabilities).

    Those of an INT8 file bring their own tolerance: processors round otherwise.
    """
    try:
        with open(path, "rb") as file:
            golden = np.load(file, allow_pickle=False)
            if isinstance(golden, np.ndarray):
                raise ValueError("an .npy file")
            images, reference = golden["images"], golden["probabilities"]
            own = golden["tolerance"] if "tolerance" in golden else PARITY_TOLERANCE
            tolerance = float(own)
    except UNREADABLE + (TypeError,) as error:
        message = "%s: not golden vectors, %s" % (path, first_line(error))
        raise RunnerError("input", message) from error
    check_interface(session, images, path)
    here = predict(session, images, tell)
    if reference.dtype.kind != "f" or reference.shape != here.shape:
        given = (path, reference.dtype, list(reference.shape), list(here.shape))
        raise RunnerError("input", "%s: probabilities are %s %s, not %s" % given)
    if not np.isfinite(reference).all():
        raise RunnerError("input", "%s: a probability is not finite" % path)
    return parity(here, reference, tolerance)


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


def sha256_of_file(path: str) -> str:
    """Hash of a file's bytes."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
    except OSError as error:
        raise RunnerError("input", first_line(error)) from error
    return digest.hexdigest()


def sha256_of_images(images: np.ndarray) -> str:
    """Hash of the pixels in order; an .npy header may differ between versions."""
    digest = hashlib.sha256()
    for index in range(0, len(images), 1024):
        digest.update(images[index : index + 1024].tobytes())
    return digest.hexdigest()


def packed(probabilities: np.ndarray) -> Dict[str, Any]:
    """Probabilities as JSON: shape, and little-endian float32 in base64."""
    data = np.ascontiguousarray(probabilities, dtype="<f4").tobytes()
    text = base64.b64encode(data).decode("ascii")
    return {"shape": list(probabilities.shape), "float32": text}


def measure(
    job: Dict[str, Any], folder: str, alone: bool, hashes: Dict[str, str]
) -> Dict[str, Any]:
    """All that a job asks for, in the order that keeps peak memory the model's.

    ``hashes`` are those of the models that other jobs have looked at.
    """
    tell = say if alone else silent
    before = peak_memory()
    path = os.path.join(folder, job["model"])
    if path not in hashes:
        hashes[path] = sha256_of_file(path)
    if hashes[path] != job["model_sha256"]:
        raise RunnerError("input", "%s: damaged on its way, copy it again" % path)
    where = os.path.join(folder, job["images"])
    images = read_images(where)
    tell("load: %s" % path)
    session, seconds = open_session(path, job["threads"], job["provider"])
    check_interface(session, images, where)
    cold = first_inference(session, np.array(images[:1]))
    tell("latency: at most %d runs or %g s" % (job["runs"], job["seconds"]))
    latency = measure_latency(
        session, images, job["runs"], job["seconds"], job["min_runs"], job["warmup"]
    )
    latency.update(first_inference=cold, session_seconds=seconds)
    latency.update(threads=job["threads"], provider=job["provider"])
    peak = peak_memory() if alone else None
    probabilities = predict(session, images, tell)
    golden = os.path.join(folder, job["golden"]) if job["golden"] else None
    return {
        "model_sha256": hashes[path],
        "images_sha256": sha256_of_images(images),
        "golden_sha256": sha256_of_file(golden) if golden else None,
        "images": len(images),
        "latency_ms": latency,
        "memory": {"peak_bytes": peak, "before_model_bytes": before},
        "parity": check_parity(session, golden, tell) if golden else None,
        "machine": machine_facts(),
        "probabilities": packed(probabilities),
    }


def measure_all(path: str) -> List[Dict[str, Any]]:
    """The answers to the jobs of a file, in its order."""
    try:
        with open(path, "rb") as file:
            manifest = json.loads(file.read().decode("utf-8"))
        schema = manifest["schema"]
        jobs = [{key: job[key] for key in JOB_KEYS} for job in manifest["jobs"]]
    except UNREADABLE + (TypeError,) as error:
        message = "%s: not a file of jobs, %s" % (path, first_line(error))
        raise RunnerError("input", message) from error
    if schema != SCHEMA:
        raise RunnerError("input", "%s: schema is %s, not %d" % (path, schema, SCHEMA))
    folder = os.path.dirname(os.path.abspath(path))
    results: List[Dict[str, Any]] = []
    hashes: Dict[str, str] = {}
    for number, job in enumerate(jobs):
        if len(jobs) > 1:
            say("model %d of %d: %s" % (number + 1, len(jobs), job["model"]))
        try:
            results.append(measure(job, folder, len(jobs) == 1, hashes))
        except RunnerError as error:
            error.job = number
            error.model_sha256 = job["model_sha256"]
            raise
    return results


def failure(
    kind: str, message: str, job: int = 0, model_sha256: Optional[str] = None
) -> Dict[str, Any]:
    """What the answer says of a failure, and of which model, as the job names it."""
    return {
        "kind": kind,
        "message": message,
        "job": job,
        "model_sha256": model_sha256,
        "onnxruntime": onnxruntime.__version__,
    }


def answer_to(path: str) -> Tuple[Dict[str, Any], int]:
    """The answer to a file of jobs, and the exit code."""
    answer: Dict[str, Any] = {"schema": SCHEMA}
    try:
        answer["results"] = measure_all(path)
    except RunnerError as error:
        told = (error.kind, str(error), error.job, error.model_sha256)
        answer["error"] = failure(*told)
        return answer, EXIT_CODES[error.kind]
    except KeyboardInterrupt:
        answer["error"] = failure("interrupted", "interrupted")
        return answer, EXIT_CODES["interrupted"]
    return answer, 0


def carried() -> int:
    """Do what manifest.json beside this file asks for, and keep the answer there."""
    answer, code = answer_to(os.path.join(HERE, MANIFEST))
    if code:
        say("error: %s" % answer["error"]["message"])
    if code == EXIT_CODES["interrupted"]:
        return code
    return code if keep(answer) else EXIT_CODES["input"]


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure, answer with one JSON object, return the exit code."""
    parser = argparse.ArgumentParser(description="Measure ONNX classifiers.")
    parser.add_argument("--jobs", help="a file of jobs; else manifest.json beside")
    jobs = parser.parse_args(arguments).jobs
    if jobs is None:
        return carried()
    answer, code = answer_to(jobs)
    sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
