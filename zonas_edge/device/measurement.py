"""What a device answers: latency, memory, parity and the machine they hold for.

The values mirror the JSON of ``runner.py``, which can't import them; reading checks
every type, since a device is outside of our hands.
"""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter


@dataclass(frozen=True)
class Latency:
    """Milliseconds of single inferences after a warm-up, and of the cold start.

    Args:
        mean: mean of ``runs`` inferences, as the percentiles and ``max``.
        first_inference: the very first inference in milliseconds, in none of the above.
        session_seconds: time to load the model, in seconds.
        threads: intra-op threads of ONNX Runtime.
        p10: 10th percentile, None in reports from before it was told.
    """

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    runs: int
    warmup: int
    first_inference: float
    session_seconds: float
    threads: int
    provider: str
    p10: float | None = None


@dataclass(frozen=True)
class Memory:
    """Largest resident size of the measuring process, in bytes.

    Args:
        peak_bytes: Python, numpy, ONNX Runtime and the model, after the latency pass;
            None where it can't be read, or one process measured several models.
        before_model_bytes: the same before the model was loaded.
    """

    peak_bytes: int | None
    before_model_bytes: int | None


@dataclass(frozen=True)
class Parity:
    """Golden vectors replayed: probabilities here against the training framework's.

    Args:
        max_abs_dp: largest difference of a probability; at most ``tolerance`` to pass.
        decisions_changed: images that got another class; none to pass.
        near_ties: such images whose two likeliest classes are within ``tolerance``.
    """

    images: int
    max_abs_dp: float
    decisions_changed: int
    near_ties: int
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Machine:
    """The machine that measured: processor, state and versions.

    Args:
        emulator: what stands between the runner and a processor of another kind, so
            that times mean nothing; None on the bare machine.
    """

    machine: str
    cpu_model: str
    cores: int
    governor: str | None
    temperature_c: float | None
    system: str
    python: str
    numpy: str
    onnxruntime: str
    providers: tuple[str, ...]
    emulator: str | None = None


@dataclass(frozen=True)
class Answer:
    """What ``runner.py`` says of one job; the hashes are SHA-256, made on the device.

    Args:
        model_sha256: of the file that was measured.
        images_sha256: of the pixels in order.
        golden_sha256: of the file of golden vectors, or None.
    """

    model_sha256: str
    images_sha256: str
    golden_sha256: str | None
    images: int
    latency_ms: Latency
    memory: Memory
    parity: Parity | None
    machine: Machine


@dataclass(frozen=True, eq=False)
class Measurement:
    """One model on one machine: the answer, and probabilities float32 [N, K]."""

    probabilities: NDArray[np.float32]
    answer: Answer


_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def read_measurement(data: dict[str, Any]) -> Measurement:
    """The measurement in one of the runner's results.

    Raises:
        ValueError: a key is missing or of another type (pydantic's ValidationError),
            or the probabilities are none.
    """
    answer = _ANSWER.validate_python(data)
    return Measurement(_unpacked(data.get("probabilities"), answer.images), answer)


def _unpacked(packed: Any, images: int) -> NDArray[np.float32]:
    """Probabilities from shape and base64."""
    try:
        shape = tuple(map(int, packed["shape"]))
        data = base64.b64decode(packed["float32"], validate=True)
    except (KeyError, TypeError) as error:
        raise ValueError("no probabilities") from error
    found = np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
    if shape != (images, found.size // max(images, 1)) or not np.isfinite(found).all():
        raise ValueError(f"probabilities are {shape}, of {images} images")
    return found
