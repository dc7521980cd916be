"""INT8: the exported file once more, its convolutions in 8-bit integers.

ONNX Runtime's own quantiser does the work, with the choices that were found to hold
(benchmarks/LOG.md):

- Activations are unsigned; signed ones give other results in ONNX Runtime 1.10. Weights
  have 8 bits where the profile says so, else 7: a processor with AVX2 but without VNNI
  adds two products in 16 bits, which 8-bit weights overflow, and probabilities were off
  by 0.38. With 7 bits integer sums are exact on every processor, and on Arm with 8 too.
- Convolutions are quantised, and the ReLUs between them. Sums, poolings and the
  classifier stay float: integer kernels of these are slower (average pooling: 9 times)
  or gain nothing, and the softmax needs the float's range.
- Ranges are the smallest and the largest value over some train images, one pair an
  activation and one scale a weight channel. Percentiles and entropy were no better.

The quantiser stamps imports of domains that nothing uses, which an old runtime refuses;
they are dropped, and opset and IR version are the float file's.

Source: onnxruntime.quantization; Jacob et al., arXiv:1712.05877, section 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from zonas_edge.data.batches import stratified_sample
from zonas_edge.data.dataset import Split
from zonas_edge.deploy.check import FileFacts, check_file
from zonas_edge.deploy.export import golden_images, keep_used_imports, packed_golden
from zonas_edge.deploy.parity import file_probabilities
from zonas_edge.device.job import workspace
from zonas_edge.profile import DeviceProfile

OPERATORS = ("Conv", "Relu")
CALIBRATION_IMAGES = 256
METHOD = "static QDQ, weights per channel, unsigned activations, MinMax"
FULL_BITS = 8
TOLERANCE = 2e-2
"""How far a processor may be from what the INT8 file says as it is written.

A value in the middle between two steps is rounded up by one and down by another, which
moved a probability by 0.012 at most; an overflow moved it by 0.18 and more."""

_PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Says to the quantiser that nothing is left to fold, so that it gives no advice."""


@dataclass(frozen=True)
class Quantized:
    """An INT8 file that the profile's runtime loads; not yet accepted.

    Args:
        model: the ONNX file.
        golden: an ``.npz`` with ``images``, what this file says of them as it is
            written, and the ``tolerance`` of a processor.
        facts: what a runtime looks at.
        calibration: how many images of each class, their seed, and the method.
    """

    model: bytes
    golden: bytes
    facts: FileFacts
    calibration: dict[str, Any]


def quantize_export(
    model: bytes,
    *,
    train: Split,
    val: Split,
    profile: DeviceProfile,
    seed: int,
) -> Quantized:
    """Make the INT8 file of an exported one, with golden vectors of its own.

    Args:
        model: the float file.
        train: the split to calibrate on.
        val: the split that golden images are taken from.
        profile: bits of a weight, and the highest opset and IR version.
        seed: decides which train images, >= 0.

    Raises:
        IncompatibleError: the device's runtime would not load it.
        UsageError: there is no space for its temporary files.
    """
    rng = np.random.default_rng(seed)
    places = stratified_sample(train.labels, CALIBRATION_IMAGES, rng)
    bits = profile.quantization.weight_bits
    data = quantize(model, train.images[places], weight_bits=bits)
    facts = check_file(onnx.load_from_string(data), profile.runtime, "export --int8")
    images = golden_images(val)
    return Quantized(
        model=data,
        golden=packed_golden(
            images, file_probabilities(data, images, as_written=True), TOLERANCE
        ),
        facts=facts,
        calibration={
            "images": len(places),
            "images_per_class": np.bincount(train.labels[places]).tolist(),
            "seed": seed,
            "method": METHOD,
            "weight_bits": bits,
            "onnxruntime": version("onnxruntime"),
        },
    )


def quantize(
    model: bytes, images: npt.NDArray[np.uint8], *, weight_bits: int = 7
) -> bytes:
    """The INT8 file of a float file; the same bytes for the same two.

    Args:
        model: a classifier as ``export_network`` writes it, opset 13 or later.
        images: uint8 [N, C, H, W] to calibrate on, at least one; from the train split.
        weight_bits: 7, or 8 for processors whose integer sums don't overflow.

    Raises:
        UsageError: there is no space for its temporary files.
    """
    source = onnx.load_from_string(model)
    words = {entry.key: entry.value for entry in source.metadata_props}
    onnx.helper.set_model_props(source, words | _PREPARED)
    with workspace() as folder:
        before, after = folder / "float32.onnx", folder / "int8.onnx"
        before.write_bytes(source.SerializeToString())
        quantize_static(
            before,
            after,
            _Images(source.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=_left_float(source),
            per_channel=True,
            reduce_range=weight_bits < FULL_BITS,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        result = onnx.load_from_string(after.read_bytes())
    keep_used_imports(result)
    del result.graph.value_info[:]
    result.ir_version = source.ir_version
    result.producer_name = source.producer_name
    result.producer_version = source.producer_version
    calibrated = f"int8: {METHOD} of {len(images)} train images, {weight_bits} bits"
    onnx.helper.set_model_props(result, words | {"quantization": calibrated})
    data: bytes = result.SerializeToString(deterministic=True)
    return data


def _left_float(model: onnx.ModelProto) -> list[str]:
    """ReLUs that no convolution follows, the head's: there is nothing to gain."""
    convolved = {node.input[0] for node in model.graph.node if node.op_type == "Conv"}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Relu" and node.output[0] not in convolved
    ]


class _Images(CalibrationDataReader):  # type: ignore[misc]  # untyped base
    """Images one by one, as the quantiser asks for them."""

    def __init__(self, name: str, images: npt.NDArray[np.uint8]) -> None:
        self._rest: Iterator[dict[str, npt.NDArray[np.uint8]]] = (
            {name: np.ascontiguousarray(image[None])} for image in images
        )

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        """The next image under the input's name, or None behind the last."""
        return next(self._rest, None)
