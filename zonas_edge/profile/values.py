"""What a profile holds: the device, its budget, its runtime, its speed.

Frozen values in strict types: an int may stand for a float, but true is no number and
"5" neither. Unknown keys are refused, because a limit with a typing error in its name
would be no limit at all. What a validator raises here is the end of a sentence that
begins ``<file>: <key> is <value>,``; :mod:`zonas_edge.profile.reading` writes the rest.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from zonas_edge.errors import ProfileError
from zonas_edge.profile.fitted import FittedLatency
from zonas_edge.profile.section import Above0, Count, Section, Share, Text
from zonas_edge.space import SearchSpace

PROFILES = "zonas-edge profiles list"
"""What tells the names of the profiles."""

_SAME_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
"""Names that other operating systems give to a machine that Linux names otherwise."""


def _architecture(machine: str) -> str:
    return _SAME_MACHINE.get(machine.lower(), machine.lower())


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression ({error})") from None
    return text


def _version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError("not a version such as 1.21.0") from None
    return text


def _version_range(text: str) -> str:
    try:
        empty = not SpecifierSet(text)
    except InvalidSpecifier:
        empty = True
    if empty:
        raise ValueError("not a version range such as >=1.22 or ==1.10.0")
    return text


class Device(Section):
    """The board, and how a program that runs on it recognises it.

    Args:
        machine: what ``platform.machine()`` says there, such as aarch64; () = any.
        cpu_pattern: regular expression looked for, in any case, in the model of the
            CPU or of the board's device tree; "" = the machine decides alone.
    """

    name: Text
    cpu: Text
    memory: Text
    notes: str = ""
    sources: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    machine: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    cpu_pattern: Annotated[str, Field(max_length=500), AfterValidator(_pattern)] = ""

    def recognises(self, machine: str, cpu_model: str) -> bool:
        """Whether a computer is this device.

        A profile with neither machine nor pattern recognises nothing, so that what is
        measured elsewhere never passes for the device's.

        Args:
            machine: ``platform.machine()`` of the computer.
            cpu_model: its CPU model and, where there is one, device-tree model.
        """
        if not (self.machine or self.cpu_pattern):
            return False
        own = {_architecture(known) for known in self.machine}
        return (not own or _architecture(machine) in own) and bool(
            re.search(self.cpu_pattern, cpu_model, re.IGNORECASE)
        )


class Budget(Section):
    """What a network may cost; every limit is inclusive, None is no limit.

    Args:
        parameters: largest number of trained weights.
        min_parameters: smallest number, for those who want to use what they have.
        latency_p95_ms: 95th percentile of one inference at batch 1, milliseconds.
        model_kb: size of the model file, units of 1,024 bytes.
    """

    parameters: Count
    min_parameters: Count | None = None
    latency_p95_ms: Above0 | None = None
    model_kb: Above0 | None = None

    @field_validator("min_parameters")
    @classmethod
    def _below_the_largest(cls, value: int | None, info: ValidationInfo) -> int | None:
        largest = info.data.get("parameters")  # absent where it was refused itself
        if value is not None and largest is not None and value > largest:
            raise ValueError(f"above budget.parameters ({largest:,})")
        return value


class RuntimeLimits(Section):
    """Which ONNX Runtime the device has, and what a file for it may use.

    Args:
        onnxruntime: range of versions, as pip writes it.
        deny: versions inside the range that don't work there.
        max_opset: highest version of the ai.onnx operator set.
        max_ir: highest version of the file format.
        threads: intra-op threads of one inference.
        provider: execution provider of ONNX Runtime.
        python: version of the interpreter, such as 3.11.
    """

    onnxruntime: Annotated[str, AfterValidator(_version_range)]
    deny: Annotated[
        tuple[Annotated[str, AfterValidator(_version)], ...], Field(strict=False)
    ] = ()
    max_opset: Annotated[int, Field(ge=7, le=99)] = 13
    max_ir: Annotated[int, Field(ge=3, le=99)] = 8
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    provider: Annotated[str, Field(pattern=r"^\w+ExecutionProvider$")] = (
        "CPUExecutionProvider"
    )
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")] = "3.11"


class Compute(Section):
    """How fast the device is, for the analytic estimate of latency.

    Args:
        gflops: sustained 10^9 float32 operations per second on small convolutions.
        gbps: sustained traffic of feature maps, mostly in the cache, 10^9 bytes/s.
        overhead_us: time an operator costs whatever its size, microseconds.
        p95_over_p50: 95th percentile of the latency over its median, >= 1.
    """

    gflops: Above0
    gbps: Above0
    overhead_us: Annotated[float, Field(ge=0)]
    p95_over_p50: Annotated[float, Field(ge=1)] = 1.5


class LatencySource(Section):
    """Where the latency model comes from; None is the estimate from ``[compute]``.

    Args:
        model: a file of ``zonas-edge calibrate``, relative to the profile's folder.
    """

    model: Text | None = None


class Space(Section):
    """How wide and deep networks for this device may be; None is the default.

    One channel would leave a stage nothing to mix, and is refused.
    """

    channels: Annotated[int, Field(ge=2, le=512)] | None = None
    max_depth: Annotated[int, Field(ge=1, le=16)] | None = None


class Acceptance(Section):
    """What the model must reach on the test split, declared beforehand, each in [0, 1].

    Args:
        min_sensitivity: smallest sensitivity by class name.
    """

    min_accuracy: Share | None = None
    min_auc: Share | None = None
    min_sensitivity: dict[str, Share] = Field(default_factory=dict)


class Quantization(Section):
    """What an INT8 file may lose on the val split against the float file.

    Args:
        weight_bits: 8 for processors whose integer sums don't overflow: Arm, and x86
            with VNNI. 7 is exact on every one, and less accurate.
        max_accuracy_drop: of the accuracy, at most.
        max_sensitivity_drop: of any class's sensitivity, at most.
        max_sensitivity_drop_of: the same for single classes, by name.
    """

    weight_bits: Annotated[int, Field(ge=7, le=8)] = 7
    max_accuracy_drop: Share = 0.01
    max_sensitivity_drop: Share = 0.02
    max_sensitivity_drop_of: dict[str, Share] = Field(default_factory=dict)


class Limits(Section):
    """What a network must keep to, on a device or on none.

    Args:
        device: the board; None for a constraint level, which has none.
        compute: how fast it is; None for a constraint level.
    """

    device: Device | None = None
    budget: Budget
    runtime: RuntimeLimits
    compute: Compute | None = None
    latency: LatencySource = LatencySource()
    space: Space = Space()
    acceptance: Acceptance = Acceptance()
    quantization: Quantization = Quantization()


class Sections(Limits):
    """The whole file; here there is a device."""

    device: Device
    compute: Compute


class Gates(Section):
    """A file of acceptance criteria and nothing else."""

    acceptance: Acceptance


def shipped_path(name: str) -> str:
    """The path that a shipped profile has, which no user's own is given."""
    return f"profiles/{name}.toml"


class DeviceProfile(Limits):
    """A whole profile: its sections, and where they came from.

    Args:
        name: stem of the file, or the level.
        path: the file as the user named it; ``shipped_path`` if shipped.
        fitted: latency as measured on the device, or None for the estimate.
    """

    name: Text
    path: Text
    fitted: FittedLatency | None = None

    @property
    def board(self) -> tuple[Device, Compute]:
        """The device and its speed.

        Raises:
            ProfileError: there is none, since this is a constraint level.
        """
        if self.device is None or self.compute is None:
            raise ProfileError(
                f"profile {self.path}: a constraint level, which has no device",
                PROFILES,
            )
        return self.device, self.compute

    @property
    def argument(self) -> str:
        """What stands for it behind ``--profile``: a shipped one's name, or a path."""
        return self.name if self.path == shipped_path(self.name) else self.path

    @property
    def model_file(self) -> Path | None:
        """Where its own latency model lies, beside the profile's file, or None."""
        named = self.latency.model
        return None if named is None else Path(self.path).parent / named

    @property
    def search_space(self) -> SearchSpace:
        """The space to search for this device."""
        return SearchSpace(**self.space.model_dump(exclude_none=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, from which ``profile_from_dict`` makes it again."""
        return self.model_dump(mode="json")
