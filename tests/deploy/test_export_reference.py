"""A reference network's file: the same proofs as a searched one's."""

import onnx
import pytest

from tests.deploy.test_export import (
    NORMALISATION,
    RUNTIME,
    a_split,
    with_random_statistics,
)
from tests.references import GRAY, RESNET, SMALL, mobilenet
from zonas_edge.cost import parameters, reference_bytes
from zonas_edge.deploy.check import weight_count
from zonas_edge.deploy.export import export_network
from zonas_edge.nn.build import build
from zonas_edge.reference import Reference
from zonas_edge.space import TaskSpec

pytestmark = pytest.mark.usefixtures("_untyped")


@pytest.mark.parametrize("task", [GRAY, SMALL, TaskSpec(3, 8, 8, 8)], ids=str)
@pytest.mark.parametrize(
    "reference", [RESNET, mobilenet(1), mobilenet(230)], ids=Reference.summary
)
def test_the_file_has_the_counted_weights_and_is_below_its_bound(
    reference: Reference, task: TaskSpec
) -> None:
    exported = export_network(
        with_random_statistics(build(reference, task)),
        NORMALISATION,
        runtime=RUNTIME,
        val=a_split(task),
        metadata={"dataset": "tests", "notice": "not for clinical use"},
        class_names=[f"class {k}" for k in range(task.classes)],
    )

    model = onnx.load_from_string(exported.model)
    assert weight_count(model) == parameters(reference, task) == exported.parameters
    assert exported.parity.passed
    assert exported.facts.opset == 13
    assert {node.op_type for node in model.graph.node} <= {
        "Add",
        "Cast",
        "Clip",
        "Constant",
        "Conv",
        "Gemm",
        "Mul",
        "ReduceMean",
        "Relu",
        "Softmax",
    }
    size, bound = len(exported.model), reference_bytes(reference, task)
    assert size <= bound <= size + 36_000
