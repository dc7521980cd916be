"""Parity: does the file say what the network says, on every image?

Logit tolerances are arbitrary; what matters on the device is the probability and the
decision. Decisions that differ only where two classes are level are counted apart.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch

from zonas_edge.data.batches import Normalisation
from zonas_edge.device.runner import PARITY_TOLERANCE, parity
from zonas_edge.nn.classifier import Classifier

BATCH = 256


@dataclass(frozen=True)
class Parity:
    """Two implementations compared.

    Args:
        images: number compared.
        max_difference: largest difference of a probability.
        changed: decisions that differ.
        near_ties: decisions that differ where the first two classes are within the
            tolerance of each other; not in ``changed``.
    """

    images: int
    max_difference: float
    changed: int
    near_ties: int

    @property
    def passed(self) -> bool:
        """True if probabilities agree within the tolerance and no decision changed."""
        return self.max_difference <= PARITY_TOLERANCE and self.changed == 0


@torch.no_grad()
def network_probabilities(
    network: Classifier, normalisation: Normalisation, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """What the unfolded network says, in torch: float32 ``[N, K]``."""
    network.eval()
    parts = []
    for start in range(0, len(images), BATCH):
        batch = torch.tensor(images[start : start + BATCH])
        parts.append(torch.softmax(network(normalisation.apply(batch)), dim=1))
    result: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return result


def file_probabilities(
    model: bytes, images: npt.NDArray[np.uint8], *, as_written: bool = False
) -> npt.NDArray[np.float32]:
    """What the file says, in ONNX Runtime, one image at a time: float32 ``[N, K]``.

    Args:
        model: the ONNX file.
        images: uint8 [N, C, H, W].
        as_written: change nothing of the graph. An INT8 file is then computed in
            float, step by step, alike on every processor.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if as_written:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    rows = [
        session.run(None, {source.name: np.ascontiguousarray(image[None])})[0]
        for image in images
    ]
    return np.concatenate(rows)


def compare(
    reference: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> Parity:
    """Compare probabilities ``[N, K]`` of the same images, as the device does."""
    told = parity(other, reference)
    return Parity(
        images=told["images"],
        max_difference=told["max_abs_dp"],
        changed=told["decisions_changed"],
        near_ties=told["near_ties"],
    )
