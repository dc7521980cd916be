"""The verdict as a value: what was allowed, what was measured, and on what.

``report.json`` is this value and nothing else, so that a figure in a report can be
traced to one place. It knows three answers, not two: a limit that was not measured on
the profile's own device is *unverified*, which is neither a pass nor a failure.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from zonas_edge.device.measurement import Latency, Machine, Memory, Parity
from zonas_edge.latency import Source
from zonas_edge.metrics import ClassMetrics
from zonas_edge.validate.beside import Beside
from zonas_edge.validate.host import LatencyHost

SCHEMA: Final = 1

Verdict = Literal["pass", "fail", "unverified"]


@dataclass(frozen=True)
class Limit:
    """One limit of the budget; the last two None where it is unverified.

    Args:
        name: the profile's key.
        allowed: the limit itself, inclusive, in the unit of its name.
        measured: in the same unit.
        passed: whether the measured value is within the limit.
        note: what a reader must know about it, or nothing.
    """

    name: str
    allowed: float
    measured: float | None
    passed: bool | None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """The limit's own verdict."""
        if self.passed is None:
            return "unverified"
        return "pass" if self.passed else "fail"


@dataclass(frozen=True)
class Gate:
    """An acceptance criterion declared beforehand, from 0 to 1, inclusive."""

    name: str
    required: float
    measured: float | None
    passed: bool


@dataclass(frozen=True)
class Compatibility:
    """Operator set and file format of the model, and the profile's ceilings."""

    opset: int
    ir: int
    max_opset: int
    max_ir: int
    passed: bool


@dataclass(frozen=True)
class Environment:
    """What the figures hold for.

    Args:
        machine: the one that measured.
        judge: the host that made figures of its answers: versions, processor, commit.
    """

    machine: Machine
    judge: dict[str, str | int]


@dataclass(frozen=True)
class ValidationReport:
    """A measured model against a profile.

    Args:
        parameters: trained weights.
        macs: multiply-accumulates of one image.
        model_bytes: size of the file.
        accuracy: share of the test images decided right; interval by Wilson.
        auc: as medmnist.Evaluator; interval by a stratified bootstrap of ``seed``, None
            where that says nothing (``metrics.auc_interval``).
        class_names: in the order of the file's probabilities, and of ``confusion``.
        confusion: rows are the true class, columns the one said.
        latency_ms: of ``latency_host``, whatever machine that is.
        estimate_ms: 95th percentile expected on the profile's device; never decides.
        estimate_source: what expects it, see ``LatencyModel``.
        test_openings: how often the test split was read for this run, this one
            included.
        beside: an INT8 file's comparison with its float file; None of a float file.
        model_sha256: of the file that was measured; None in reports from before it was
            told.
        notes: what is known against the data, such as images in two splits.
    """

    schema: Literal[1]
    run: str
    profile: str
    verdict: Verdict
    limits: tuple[Limit, ...]
    parameters: int
    macs: int
    model_bytes: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    auc: float
    auc_ci95: tuple[float, float] | None
    class_names: tuple[str, ...]
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    latency_ms: Latency
    latency_host: LatencyHost
    estimate_ms: float | None
    memory: Memory
    parity: Parity
    compatibility: Compatibility
    acceptance: tuple[Gate, ...]
    environment: Environment
    dataset: dict[str, str | int]
    test_images: int
    test_openings: int
    seed: int
    estimate_source: Source = "estimate"
    beside: Beside | None = None
    model_sha256: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """5 not loadable, 4 parity or a gate missed, 3 a limit exceeded, else 0."""
        if not self.compatibility.passed:
            return 5
        if not self.parity.passed or any(not gate.passed for gate in self.acceptance):
            return 4
        return 0 if self.limits_kept else 3

    @property
    def limits_kept(self) -> bool:
        """Whether no limit was found to be exceeded; some may be unverified."""
        return all(limit.passed is not False for limit in self.limits)

    @property
    def unverified(self) -> tuple[Limit, ...]:
        """The limits that are still to be measured on the profile's device."""
        return tuple(limit for limit in self.limits if limit.passed is None)

    def to_dict(self) -> dict[str, Any]:
        """The object of ``report.json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ValidationReport":
        """The report in an object of ``report.json``.

        Raises:
            ValueError: a key is missing or of another type (pydantic's
                ValidationError).
        """
        # Through JSON, where an array may become a tuple and nothing else is coerced.
        return _REPORT.validate_json(json.dumps(data), strict=True)


_REPORT: TypeAdapter[ValidationReport] = TypeAdapter(ValidationReport)
