"""Proof that a file is within what the device's runtime loads.

Opset is not enough: the IR version fails first, and a single unused import of a newer
domain makes an old runtime refuse the file. So
everything that a runtime looks at before it loads a file is looked at here, and every
reason to refuse it is told with what to do about it. Export and ``zonas-edge check``
use the same function.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from zonas_edge.constraint import KIB
from zonas_edge.errors import BudgetError, IncompatibleError, UsageError, reason_of
from zonas_edge.profile import DeviceProfile, RuntimeLimits

NORMALISATION = 1
"""Normalisation constants have one element; weights have more."""
AGAIN = "export again with this profile"
_WHICH = "name an ONNX file, such as exports/RUN/model.onnx"

_UNSOUND = (ValueError, TypeError)
"""What onnx raises besides its own errors where bytes are no text, or of no type."""


@dataclass(frozen=True)
class FileFacts:
    """What a runtime looks at before it loads a file.

    Args:
        opset: version of the standard operators.
        ir: version of the file format.
        domains: every domain that the file imports.
        operators: names of the operators in use, sorted.
    """

    opset: int
    ir: int
    domains: tuple[str, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A reason why the device's runtime would refuse a file.

    Args:
        cause: the end of a sentence that begins with the file's name.
        fix: what can be done about it.
    """

    cause: str
    fix: str


@dataclass(frozen=True)
class FileCheck:
    """A file held against a profile, before anything of it is run.

    Args:
        facts: what a runtime looks at.
        findings: why the profile's runtime would refuse it; none if it loads.
        model_kb: size of the file, units of 1,024 bytes.
        allowed_kb: the budget's limit of it, inclusive, or None.
    """

    facts: FileFacts
    findings: tuple[Finding, ...]
    model_kb: float
    allowed_kb: float | None

    @property
    def fits(self) -> bool:
        """True if the file is no larger than the budget allows."""
        return self.allowed_kb is None or self.model_kb <= self.allowed_kb

    @property
    def exit_code(self) -> int:
        """5 if the runtime refuses it, 3 if it is too large for the budget, else 0."""
        if self.findings:
            return IncompatibleError.exit_code
        return 0 if self.fits else BudgetError.exit_code

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"refused": bool(self.findings), "fits": self.fits}


def check_path(path: Path, profile: DeviceProfile) -> FileCheck:
    """Hold a file against a profile's runtime and its limit of size.

    Raises:
        UsageError: there is no such file, or it can't be read.
        IncompatibleError: it is no ONNX model.
    """
    model = read_model(path)
    found = tuple(findings(model, profile.runtime))
    if not found and (refused := refused_here(path.read_bytes())) is not None:
        found = (refused,)
    return FileCheck(
        facts=facts_of(model),
        findings=found,
        model_kb=path.stat().st_size / KIB,
        allowed_kb=profile.budget.model_kb,
    )


def read_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, whatever its name ends in; weights beside it are not read.

    Raises:
        UsageError: there is no such file, or it can't be read.
        IncompatibleError: it is no ONNX model.
    """
    try:
        model = onnx.load_from_string(path.read_bytes())
        facts_of(model)
    except OSError as error:
        raise UsageError(f"{path}: {reason_of(error)}", _WHICH) from None
    except (DecodeError, *_UNSOUND):
        raise IncompatibleError(f"{path}: not an ONNX model", _WHICH) from None
    return model


def facts_of(model: onnx.ModelProto) -> FileFacts:
    """Read the facts from a model."""
    versions = {_standard(entry.domain): entry.version for entry in model.opset_import}
    return FileFacts(
        opset=versions.get("", 0),
        ir=model.ir_version,
        domains=tuple(sorted(versions)),
        operators=tuple(sorted({node.op_type for node in _nodes(model)})),
    )


def weight_count(model: onnx.ModelProto) -> int:
    """Elements of the float initialisers with more than one element [count]."""
    total = 0
    for tensor in model.graph.initializer:
        size = 1
        for side in tensor.dims:
            size *= side
        if tensor.data_type == TensorProto.FLOAT and size > NORMALISATION:
            total += size
    return total


def check_file(model: onnx.ModelProto, runtime: RuntimeLimits, where: str) -> FileFacts:
    """See that a runtime within the profile's limits accepts the file.

    Raises:
        IncompatibleError: naming the first thing that it would refuse.
    """
    for finding in findings(model, runtime):
        raise IncompatibleError(f"{where}: {finding.cause}", finding.fix)
    return facts_of(model)


def findings(model: onnx.ModelProto, runtime: RuntimeLimits) -> Iterator[Finding]:
    """Every reason why a runtime within the profile's limits would refuse a file.

    Args:
        model: without its external weights.
        runtime: the highest opset and IR version that the device loads.
    """
    facts = facts_of(model)
    for key, value, highest in (
        ("opset", facts.opset, runtime.max_opset),
        ("IR version", facts.ir, runtime.max_ir),
    ):
        if value > highest:
            yield Finding(f"{key} is {value}, the profile allows {highest}", AGAIN)
    yield from _foreign(model, facts)
    outside = sum(bool(tensor.external_data) for tensor in _tensors(model))
    if outside:
        yield Finding(
            f"weights lie outside the file ({outside} of {len(_tensors(model))}"
            " tensors)",
            "save it as one file (onnx.save_model with save_as_external_data=False)",
        )
        return  # what lies outside can't be judged further
    flaw = _flaw(model)
    if flaw is not None:
        yield Finding(f"not a sound ONNX file ({flaw})", AGAIN)
        return
    yield from _unfixed(model)


def _foreign(model: onnx.ModelProto, facts: FileFacts) -> Iterator[Finding]:
    """Domains and operators that are not ai.onnx's at the file's opset."""
    foreign = [domain for domain in facts.domains if domain]
    if foreign:
        used = {_standard(node.domain) for node in _nodes(model)}
        unused = not used & set(foreign)
        yield Finding(
            f"imports the domains {', '.join(foreign)}, which an old runtime"
            " may not know",
            "delete these opset_import entries, no node uses them"
            if unused
            else "export without their operators",
        )
    unknown = sorted(
        {
            node.op_type
            for node in _nodes(model)
            if not _standard(node.domain)
            and not onnx.defs.has(node.op_type, facts.opset)
        }
    )
    if unknown:
        yield Finding(
            f"operators that opset {facts.opset} doesn't have: {', '.join(unknown)}",
            "export without them",
        )


def _flaw(model: onnx.ModelProto) -> str | None:
    """What onnx's own checker has against the file, in one line."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        *_UNSOUND,
    ) as error:
        return _first_line(error)
    return None


def refused_here(model: bytes) -> Finding | None:
    """What this machine's ONNX Runtime, a newer one than any device's, refuses.

    A sound file may hold an operator for which there is no code: of float64, say.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its classes are private and many
        return Finding(
            f"onnxruntime {ort.__version__} on this machine doesn't load it,"
            f" {_first_line(error)}",
            "export without what it names",
        )
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]


def _unfixed(model: onnx.ModelProto) -> Iterator[Finding]:
    """Values whose shape is known on the device alone."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        known = kind.HasField("shape") or not value.type.HasField("tensor_type")
        if not known or not all(side.dim_value > 0 for side in kind.shape.dim):
            yield Finding(
                f"the shape of {value.name} is not fixed",
                "export with one fixed shape, batch 1",
            )
            return  # the first is the cause of the others


def _standard(domain: str) -> str:
    """The domain; the standard one has two names."""
    return "" if domain == "ai.onnx" else domain


def _tensors(model: onnx.ModelProto) -> tuple[TensorProto, ...]:
    """Weights and constants, those of inner graphs too."""
    constants = (
        attribute.t
        for node in _nodes(model)
        for attribute in node.attribute
        if attribute.HasField("t")
    )
    return (*model.graph.initializer, *constants)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a model, of its inner graphs and of its functions."""
    waiting = [*model.graph.node]
    for function in model.functions:
        waiting += function.node
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting += graph.node
