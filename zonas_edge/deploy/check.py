"""Proof that a file is within what the device's runtime loads.

Opset is not enough: the IR version fails first, and a single unused import of a newer
domain makes an old runtime refuse the file (deployment facts, sections 0 and 4).
"""

from dataclasses import dataclass

import onnx
from onnx import TensorProto

from zonas_edge.errors import IncompatibleError
from zonas_edge.profile import RuntimeLimits

NORMALISATION = 1
"""Normalisation constants have one element; weights have more."""


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


def facts_of(model: onnx.ModelProto) -> FileFacts:
    """Read the facts from a model."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    return FileFacts(
        opset=versions.get("", 0),
        ir=model.ir_version,
        domains=tuple(sorted(versions)),
        operators=tuple(sorted({node.op_type for node in model.graph.node})),
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
        IncompatibleError: naming what it would refuse.
    """
    facts = facts_of(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise IncompatibleError(
            f"{where}: not a sound ONNX file ({str(error).splitlines()[0]})"
        ) from None
    for key, value, highest in (
        ("opset", facts.opset, runtime.max_opset),
        ("IR version", facts.ir, runtime.max_ir),
    ):
        if value > highest:
            raise IncompatibleError(
                f"{where}: {key} is {value}, the profile allows {highest}",
                "export again with this profile",
            )
    if facts.domains != ("",):
        foreign = [domain for domain in facts.domains if domain]
        raise IncompatibleError(
            f"{where}: imports the domains {', '.join(foreign)}, which an old runtime"
            " may not know"
        )
    if any(tensor.external_data for tensor in model.graph.initializer):
        raise IncompatibleError(f"{where}: weights lie outside the file")
    for value in (*model.graph.input, *model.graph.output):
        sides = value.type.tensor_type.shape.dim
        if not all(side.dim_value > 0 for side in sides):
            raise IncompatibleError(f"{where}: the shape of {value.name} is not fixed")
    return facts
