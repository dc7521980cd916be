"""The tiny model that the target is tested with: 8x8 gray images, two classes."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TINY = Path(__file__).parents[1] / "golden" / "tiny.onnx"
SIDE = 8


def build_tiny(*, ir: int = 8, opset: int = 13, scale: float = 1 / 255) -> bytes:
    """Cast, scale, flatten, Gemm and Softmax; the weights are of seed 0."""
    weights = np.random.default_rng(0).normal(size=(SIDE * SIDE, 2)).astype(np.float32)
    constants = [
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        numpy_helper.from_array(weights, "weights"),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 2])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir
    )
    onnx.checker.check_model(model, full_check=ir <= onnx.IR_VERSION)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def tiny_images(count: int) -> NDArray[np.uint8]:
    """Random images of seed 1."""
    draw = np.random.default_rng(1)
    return draw.integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


def tiny_probabilities(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the tiny model must say, by numpy in double precision."""
    weights = np.random.default_rng(0).normal(size=(SIDE * SIDE, 2)).astype(np.float32)
    logits = (images.reshape(len(images), -1) / 255) @ weights.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(
        np.float32
    )
    return shares


def write_golden(file: Path, images: NDArray[np.uint8]) -> Path:
    """Golden vectors of the tiny model."""
    np.savez(file, images=images, probabilities=tiny_probabilities(images))
    return file
