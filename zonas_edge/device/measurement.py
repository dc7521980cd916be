"""What a device answers: latency, memory, parity and the machine they hold for.

The values mirror the JSON of ``runner.py``, which can't import them; reading checks
types and ranges, and figures against each other, since a device is outside of our
hands: what can't have been measured must not decide anything.
"""

import base64
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Number: TypeAlias = Annotated[int, Field(ge=1)]


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

    mean: Positive
    p50: Positive
    p90: Positive
    p95: Positive
    p99: Positive
    max: Positive
    runs: Number
    warmup: Count
    first_inference: Positive
    session_seconds: Positive
    threads: Number
    provider: str
    p10: Positive | None = None

    @property
    def in_order(self) -> bool:
        """Whether no percentile is above a higher one."""
        ladder = [self.p50, self.p90, self.p95, self.p99, self.max]
        if self.p10 is not None:
            ladder.insert(0, self.p10)
        return all(low <= high for low, high in pairwise(ladder))


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

    images: Number
    max_abs_dp: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    decisions_changed: Count
    near_ties: Count
    tolerance: Positive
    passed: bool

    @property
    def agrees(self) -> bool:
        """Whether the figures say what ``passed`` says."""
        equal = self.max_abs_dp <= self.tolerance and self.decisions_changed == 0
        return self.passed == equal


@dataclass(frozen=True)
class Machine:
    """The machine that measured: processor, state and versions.

    Args:
        emulator: what stands between the runner and a processor of another kind, so
            that times mean nothing; None on the bare machine.
        max_mhz: highest clock that the processor is allowed now, None if unknown.
        power_mode: of a Jetson, by name and number.
        time: of the measurement's end, UTC, by the machine's own clock; None in
            reports from before it was told, as the two above.
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
    max_mhz: int | None = None
    power_mode: str | None = None
    time: str | None = None


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
        ValueError: a key is missing or of another type, a figure is out of its range
            (pydantic's ValidationError) or belies another, or the probabilities are
            none.
    """
    told = {key: value for key, value in data.items() if key != "probabilities"}
    # through JSON, where an array may become a tuple and nothing else is coerced
    answer = _ANSWER.validate_json(json.dumps(told), strict=True)
    if not answer.latency_ms.in_order:
        raise ValueError("percentiles are not in order")
    if answer.parity is not None and not answer.parity.agrees:
        raise ValueError("parity says one thing and its figures another")
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
