"""A file held against a runtime: every reason to refuse it is told with its fix."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.device.tiny import TINY, build_tiny
from zonas_edge.deploy.check import (
    check_file,
    check_path,
    facts_of,
    findings,
    read_model,
)
from zonas_edge.errors import IncompatibleError, UsageError
from zonas_edge.profile import Budget, RuntimeLimits, load_profile

RUNTIME = RuntimeLimits(onnxruntime=">=1.10.0")
Change = Callable[[onnx.ModelProto], object]


def tiny() -> onnx.ModelProto:
    return onnx.load_from_string(build_tiny())


def foreign_operator(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)
    model.graph.node[-1].domain = "com.microsoft"


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[1]
    tensor.external_data.add(key="location", value="weights.bin")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")


def newer_operator(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Gelu"  # of opset 20
    model.graph.node[-1].ClearField("attribute")


def free_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def inner_shape(model: onnx.ModelProto) -> None:
    """Where the classifier's input is nonzero: nobody knows beforehand how often."""
    model.graph.node.append(helper.make_node("NonZero", ["flat"], ["places"]))


def torn(model: onnx.ModelProto) -> None:
    model.graph.node[2].input[0] = "nobody"


REFUSED: dict[str, tuple[Change, str, str]] = {
    "opset": (
        lambda model: setattr(model.opset_import[0], "version", 17),
        "opset is 17, the profile allows 13",
        "export again with this profile",
    ),
    "ir": (
        lambda model: setattr(model, "ir_version", 10),
        "IR version is 10, the profile allows 8",
        "export again with this profile",
    ),
    "unused domain": (
        lambda model: model.opset_import.add(domain="ai.onnx.ml", version=5),
        "imports the domains ai.onnx.ml, which an old runtime may not know",
        "delete these opset_import entries, no node uses them",
    ),
    "used domain": (
        foreign_operator,
        "imports the domains com.microsoft, which an old runtime may not know",
        "export without their operators",
    ),
    "external": (
        outside,
        "weights lie outside the file (1 of 2 tensors)",
        "save it as one file (onnx.save_model with save_as_external_data=False)",
    ),
    "operator": (
        newer_operator,
        "operators that opset 13 doesn't have: Gelu",
        "export without them",
    ),
    "dynamic": (
        free_batch,
        "the shape of image is not fixed",
        "export with one fixed shape, batch 1",
    ),
    "inner": (
        inner_shape,
        "the shape of places is not fixed",
        "export with one fixed shape, batch 1",
    ),
    "unsound": (
        torn,
        (
            "not a sound ONNX file (Nodes in a graph must be topologically sorted,"
            " however input 'nobody' of node: )"
        ),
        "export again with this profile",
    ),
}


def in_float64() -> bytes:
    """Sound to the letter of the standard, and no runtime has code for it."""
    constant = numpy_helper.from_array(np.ones((1, 1, 1, 1)), "weights")
    kinds = {"image": TensorProto.UINT8, "out": TensorProto.DOUBLE}
    values = {
        name: helper.make_tensor_value_info(name, kind, [1, 1, 8, 8])
        for name, kind in kinds.items()
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["double"], to=TensorProto.DOUBLE),
        helper.make_node("Conv", ["double", "weights"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes, "doubles", [values["image"]], [values["out"]], [constant]
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=7)
    data: bytes = model.SerializeToString()
    return data


def test_a_sound_file_that_no_runtime_has_code_for_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "doubles.onnx"
    file.write_bytes(in_float64())
    assert list(findings(read_model(file), RUNTIME)) == []

    checked = check_path(file, load_profile("jetson-nano"))

    (finding,) = checked.findings
    version = onnxruntime.__version__
    assert finding.cause.startswith(
        f"onnxruntime {version} on this machine doesn't load it, "
    )
    assert "Conv" in finding.cause
    assert checked.exit_code == 5


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_file_is_refused_in_one_line_or_read(
    tmp_path: Path, seed: int
) -> None:
    """A few bytes changed: never a traceback."""
    draw = np.random.default_rng(seed)
    data = bytearray(build_tiny())
    head = [*range(200), *range(len(data) - 200, len(data))]  # not in the weights
    for place in draw.choice(head, 3):
        data[place] = draw.integers(256)
    file = tmp_path / "damaged.onnx"
    file.write_bytes(data)

    assert all("\n" not in text for text in objections(file))


def objections(file: Path) -> list[str]:
    """What there is to say against a file."""
    try:
        checked = check_path(file, load_profile("jetson-nano"))
    except IncompatibleError as error:
        return [str(error)]
    return [finding.cause for finding in checked.findings]


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_runtime_refuses_is_told_with_its_fix(name: str) -> None:
    change, cause, fix = REFUSED[name]
    model = tiny()
    assert list(findings(model, RUNTIME)) == []

    change(model)

    first = next(findings(model, RUNTIME))
    assert (first.cause, first.fix) == (cause, fix)
    with pytest.raises(IncompatibleError) as caught:
        check_file(model, RUNTIME, "file")
    assert str(caught.value) == f"file: {cause}"
    assert caught.value.hint == fix


def test_all_reasons_are_told_not_the_first_alone() -> None:
    model = tiny()
    model.ir_version = 10
    model.opset_import.add(domain="ai.onnx.ml", version=5)
    free_batch(model)

    causes = [finding.cause for finding in findings(model, RUNTIME)]

    assert causes == [
        "IR version is 10, the profile allows 8",
        "imports the domains ai.onnx.ml, which an old runtime may not know",
        "the shape of image is not fixed",
    ]


def test_the_two_names_of_the_standard_domain_are_one() -> None:
    model = tiny()
    model.opset_import[0].domain = "ai.onnx"
    assert facts_of(model).domains == ("",)
    assert facts_of(model).opset == 13


def test_operators_of_inner_graphs_count() -> None:
    """A branch of an If is where a new operator hides."""
    flag = numpy_helper.from_array(np.array(True), "flag")
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    branches = [
        helper.make_graph([helper.make_node(op, ["x"], ["z"])], op, [], [inner])
        for op in ("Gelu", "Relu")
        for inner in [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])]
    ]
    choice = helper.make_node(
        "If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1]
    )
    graph = helper.make_graph([choice], "choice", [source], [result], [flag])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )

    assert facts_of(model).operators == ("Gelu", "If", "Relu")
    assert next(findings(model, RUNTIME)).cause == (
        "operators that opset 13 doesn't have: Gelu"
    )


def test_the_limit_of_size_is_inclusive_and_its_excess_is_exit_3() -> None:
    profile = load_profile("jetson-nano")
    kilobytes = TINY.stat().st_size / 1024

    def limited(allowed: float | None) -> int:
        budget = Budget(parameters=9, model_kb=allowed)
        judge = profile.model_copy(update={"budget": budget})
        return check_path(TINY, judge).exit_code

    assert (limited(kilobytes), limited(None), limited(kilobytes - 0.01)) == (0, 0, 3)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.json"  # the name decides nothing
    file.write_text("a text")
    with pytest.raises(IncompatibleError) as caught:
        read_model(file)
    assert str(caught.value) == f"{file}: not an ONNX model"

    with pytest.raises(UsageError) as missing:
        read_model(tmp_path / "absent.onnx")
    assert str(missing.value) == f"{tmp_path}/absent.onnx: no such file or directory"
