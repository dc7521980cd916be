"""The INT8 file: what is quantised, what stays, and who loads it."""

import io
from collections.abc import Iterator

import jaxtyping
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from tests.deploy.test_export import EVERY_OP, RUNTIME, TASKS, a_split, export
from tests.reports import a_profile
from zonas_edge.data.batches import stratified_sample
from zonas_edge.deploy.check import facts_of, findings
from zonas_edge.deploy.parity import file_probabilities
from zonas_edge.deploy.quantize import TOLERANCE, quantize, quantize_export
from zonas_edge.profile import Quantization

TASK = TASKS[1]
IMAGES = a_split(TASK).images


@pytest.fixture(scope="module")
def float32() -> Iterator[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        yield export(EVERY_OP, TASK).model


@pytest.fixture(scope="module")
def int8(float32: bytes) -> bytes:
    return quantize(float32, IMAGES)


def read(model: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(model)


def test_opset_ir_and_domains_are_the_float_file_s(float32: bytes, int8: bytes) -> None:
    before, after = facts_of(read(float32)), facts_of(read(int8))

    assert (after.opset, after.ir, after.domains) == (before.opset, before.ir, ("",))
    assert list(findings(read(int8), RUNTIME)) == []


def test_it_is_smaller_and_the_same_bytes_each_time(
    float32: bytes, int8: bytes
) -> None:
    assert len(int8) < len(float32)
    assert quantize(float32, IMAGES) == int8


def test_every_convolution_reads_integers_and_nothing_else_does(int8: bytes) -> None:
    model = read(int8)
    makers = {name: node for node in model.graph.node for name in node.output}
    kinds = {
        node.op_type: {
            makers[name].op_type
            for name in node.input
            if name in makers and makers[name].op_type != "Constant"
        }
        for node in model.graph.node
    }
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]

    assert len(convolutions) > 10
    for node in convolutions:
        assert {makers[name].op_type for name in node.input} == {"DequantizeLinear"}
    assert kinds["Softmax"] == {"Gemm"}
    assert "DequantizeLinear" not in kinds["Gemm"]


@pytest.mark.parametrize(("bits", "largest"), [(7, 64), (8, 128)])
def test_weights_are_per_channel_and_have_the_bits_asked_for(
    float32: bytes, bits: int, largest: int
) -> None:
    model = read(quantize(float32, IMAGES, weight_bits=bits))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kernels = [
        numpy_helper.to_array(tensor)
        for tensor in tensors.values()
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    scales = [
        tensors[node.input[1]].dims[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and len(tensors[node.input[1]].dims) == 1
    ]

    assert max(int(np.abs(k.astype(int)).max()) for k in kernels) in {
        largest - 1,
        largest,
    }
    assert set(scales) >= {4, 8, 16}  # the channels of the three stages


def test_metadata_stay_and_say_how_it_was_quantised(
    float32: bytes, int8: bytes
) -> None:
    before, after = (
        {entry.key: entry.value for entry in read(model).metadata_props}
        for model in (float32, int8)
    )

    assert after == before | {
        "quantization": (
            "int8: static QDQ, weights per channel, unsigned activations, MinMax of"
            " 12 train images, 7 bits"
        )
    }


def test_nothing_is_told_on_the_terminal(
    float32: bytes,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    quantize(float32, IMAGES)

    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_integers_say_what_the_file_says_as_it_is_written(int8: bytes) -> None:
    """Apart from a last step of rounding, on whatever processor this test runs."""
    integers = file_probabilities(int8, IMAGES)
    written = file_probabilities(int8, IMAGES, as_written=True)

    assert np.abs(integers - written).max() <= TOLERANCE


def test_golden_vectors_bring_their_tolerance(float32: bytes) -> None:
    split = a_split(TASK)
    profile = a_profile().model_copy(
        update={"quantization": Quantization(weight_bits=8)}
    )

    made = quantize_export(float32, train=split, val=split, profile=profile, seed=3)

    golden = np.load(io.BytesIO(made.golden), allow_pickle=False)
    assert float(golden["tolerance"]) == TOLERANCE
    np.testing.assert_array_equal(
        golden["probabilities"],
        file_probabilities(made.model, golden["images"], as_written=True),
    )
    assert made.calibration["images"] == 12
    assert made.calibration["images_per_class"] == [2, 2, 2, 2, 1, 1, 1, 1]
    assert (made.calibration["seed"], made.calibration["weight_bits"]) == (3, 8)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(1, 80),
    st.integers(0, 9),
)
def test_a_sample_is_stratified_and_leaves_no_class_out(
    classes: list[int], count: int, seed: int
) -> None:
    labels = np.array(classes, dtype=np.int64)
    chosen = stratified_sample(labels, count, np.random.default_rng(seed))

    assert sorted(set(chosen.tolist())) == chosen.tolist()
    assert set(labels[chosen].tolist()) == set(classes)
    assert min(count, len(labels)) <= len(chosen) < count + len(set(classes))
    for label in set(classes):
        drawn, all_of_it = ((part == label).sum() for part in (labels[chosen], labels))
        assert abs(drawn - min(all_of_it, all_of_it * count / len(labels))) < 1
