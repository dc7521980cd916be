"""Export: one self-contained ONNX file, checked before it is accepted.

torch's default exporter silently writes opset 18 and a side file whatever it is asked
for; the other one obeys. The file is then stripped of
what no runtime needs, given its metadata, and proven: it is sound, within the
profile's ceilings, has as many weights as its architecture, and says on every val
image what the network says.
"""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from zonas_edge.cost import parameters
from zonas_edge.data.batches import Normalisation
from zonas_edge.data.dataset import Split
from zonas_edge.deploy.check import FileFacts, check_file, weight_count
from zonas_edge.deploy.fold import DeployedNetwork
from zonas_edge.deploy.parity import (
    Parity,
    compare,
    file_probabilities,
    network_probabilities,
)
from zonas_edge.errors import AcceptanceError, IncompatibleError
from zonas_edge.nn.classifier import Classifier
from zonas_edge.profile import RuntimeLimits
from zonas_edge.runtimes import LEAST_OPSET

INPUT, OUTPUT = "image", "probabilities"
"""Reductions and poolings of this space are exported alike from here on."""
GOLDEN_IMAGES = 32
LEGACY_WARNINGS = (
    "You are using the legacy TorchScript-based ONNX export",
    "The feature will be removed",
)


@dataclass(frozen=True)
class Exported:
    """A file that has passed its checks.

    Args:
        model: the ONNX file.
        golden: an ``.npz`` with ``images`` and the network's ``probabilities``.
        facts: what a runtime looks at.
        parameters: weights in the file [count].
        parity: file against network on the val split.
    """

    model: bytes
    golden: bytes
    facts: FileFacts
    parameters: int
    parity: Parity

    def summary(self) -> dict[str, Any]:
        """What ``run.json`` keeps of an export."""
        return {
            "model_bytes": len(self.model),
            "parameters": self.parameters,
            "sha256": {
                "model": sha256(self.model).hexdigest(),
                "golden": sha256(self.golden).hexdigest(),
            },
            **asdict(self.facts),
            "parity": asdict(self.parity) | {"split": "val"},
        }


def export_network(
    network: Classifier,
    normalisation: Normalisation,
    *,
    runtime: RuntimeLimits,
    val: Split,
    metadata: Mapping[str, str],
    class_names: Sequence[str],
) -> Exported:
    """Write the network as an ONNX file, and prove it.

    Args:
        network: trained.
        normalisation: of its images.
        runtime: the highest opset and IR version that the device loads.
        val: the split on which file and network are compared.
        metadata: goes into the file as text.
        class_names: in order of the probabilities; goes into the file as JSON.

    Raises:
        IncompatibleError: the device's runtime would not load it.
        AcceptanceError: it doesn't say what the network says.
    """
    model, facts = build_file(
        network,
        normalisation,
        runtime=runtime,
        metadata=metadata,
        class_names=class_names,
    )
    count, expected = (
        weight_count(model),
        parameters(network.architecture, network.task),
    )
    if count != expected:
        raise IncompatibleError(
            f"export: the file has {count:,} weights, its architecture {expected:,}"
        )
    data = model.SerializeToString(deterministic=True)
    reference = network_probabilities(network, normalisation, val.images)
    parity = compare(reference, file_probabilities(data, val.images))
    if not parity.passed:
        raise AcceptanceError(
            f"export: the file differs from the network on {parity.changed} of"
            f" {parity.images} val decisions, by up to {parity.max_difference:.2e}"
        )
    return Exported(
        model=data,
        golden=packed_golden(
            chosen := golden_images(val),
            network_probabilities(network, normalisation, chosen),
        ),
        facts=facts,
        parameters=count,
        parity=parity,
    )


def build_file(
    network: Classifier,
    normalisation: Normalisation,
    *,
    runtime: RuntimeLimits,
    metadata: Mapping[str, str],
    class_names: Sequence[str],
) -> tuple[onnx.ModelProto, FileFacts]:
    """The network as the file that a device loads; not yet compared with it.

    Args:
        network: its weights may be of any value.
        normalisation: of its images.
        runtime: the highest opset and IR version that the device loads.
        metadata: goes into the file as text.
        class_names: in order of the probabilities; goes into the file as JSON.

    Raises:
        IncompatibleError: the device's runtime would not load it.
    """
    model = _convert(network, normalisation, runtime.max_opset)
    _describe(model, metadata, class_names)
    model.ir_version = min(model.ir_version, runtime.max_ir)
    return model, check_file(model, runtime, "export")


def _convert(
    network: Classifier, normalisation: Normalisation, max_opset: int
) -> onnx.ModelProto:
    if max_opset < LEAST_OPSET:
        raise IncompatibleError(
            f"export: the profile allows opset {max_opset}, the networks need"
            f" {LEAST_OPSET}",
            f"runtime.max_opset = {LEAST_OPSET}",
        )
    task = network.task
    image = torch.zeros(1, task.channels, task.height, task.width, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the exporter that obeys is the deprecated one
        for message in LEGACY_WARNINGS:
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        torch.onnx.export(
            DeployedNetwork(network, normalisation).cpu().eval(),
            (image,),
            buffer,  # type: ignore[arg-type]  # the signature forgets buffers
            dynamo=False,
            opset_version=LEAST_OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            do_constant_folding=True,
        )
    return onnx.load_from_string(buffer.getvalue())


def _describe(
    model: onnx.ModelProto, metadata: Mapping[str, str], class_names: Sequence[str]
) -> None:
    """Drop what no runtime needs; say what the file is."""
    model.producer_name, model.producer_version = "zonas-edge", ""
    keep_used_imports(model)
    for node in model.graph.node:
        node.doc_string = ""
    _, channels, height, width = (
        side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim
    )
    words = dict(metadata) | {
        "class_names": json.dumps(list(class_names), ensure_ascii=False),
        "input": (
            f"{INPUT}: uint8 [1, {channels}, {height}, {width}], NCHW,"
            f" {'RGB' if channels > 1 else 'gray'}, 0 to 255, no preprocessing"
        ),
        "output": f"{OUTPUT}: float32 [1, {len(class_names)}], sums to 1",
    }
    # a file name that is no UTF-8 comes from Python with lone surrogates in it
    plain = {
        key: word.encode("utf-8", "backslashreplace").decode()
        for key, word in words.items()
    }
    onnx.helper.set_model_props(model, plain)


def keep_used_imports(model: onnx.ModelProto) -> None:
    """Drop imports of domains without a node: an old runtime refuses those it lacks."""
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def golden_images(val: Split) -> npt.NDArray[np.uint8]:
    """Val images of every class in turn, and black, white and a ramp.

    Data are often sorted by class, and a device that gets one class wrong must not pass
    by the first images of another. Of more classes than there is room for, the first.
    """
    shape = val.images.shape[1:]
    ramp = np.linspace(0, 255, num=int(np.prod(shape))).astype(np.uint8).reshape(shape)
    extremes = np.stack(
        [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), ramp]
    )
    return np.concatenate([val.images[_of_every_class(val.labels)], extremes])


def _of_every_class(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Places of each class's first image, then of each one's second, and so on."""
    turns = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = labels == label
        turns[own] = np.arange(own.sum())
    return np.sort(np.lexsort((labels, turns))[:GOLDEN_IMAGES])


def packed_golden(
    images: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
    tolerance: float | None = None,
) -> bytes:
    """Golden vectors as a file.

    Args:
        images: uint8 [N, C, H, W].
        probabilities: what a device shall say of them, [N, K].
        tolerance: how far it may be from that; None = as ``runner.py`` has it.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"images": images, "probabilities": probabilities}
    if tolerance is not None:
        arrays["tolerance"] = np.array(tolerance)
    np.savez(buffer, **arrays)
    return buffer.getvalue()
