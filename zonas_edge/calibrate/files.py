"""The networks to measure, as ONNX files that need little room to travel.

Latency doesn't depend on the weights, so none is trained. Random ones can't be packed,
and 120 networks are some 150 MB; so each weight tensor repeats a short sequence of
random numbers, and a packer needs 2 MB. They are ordinary numbers, no zeros and nothing
near them, and no two weight tensors of a file are alike, so that neither exporter nor
runtime can share one. Times are the same (benchmarks/LOG.md).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from zonas_edge.architecture import Architecture
from zonas_edge.data.batches import Normalisation
from zonas_edge.deploy.export import build_file
from zonas_edge.device.job import workspace
from zonas_edge.device.measuring import IMAGES
from zonas_edge.device.process import Progress
from zonas_edge.nn.network import Network
from zonas_edge.profile import RuntimeLimits
from zonas_edge.space import TaskSpec

PERIOD = 127
"""Numbers in the sequence; a prime, so that the channels of a kernel differ."""


@contextmanager
def network_files(
    networks: Sequence[Architecture],
    task: TaskSpec,
    runtime: RuntimeLimits,
    rng: np.random.Generator,
    tell: Progress = lambda _: None,
) -> Iterator[tuple[list[Path], Path]]:
    """The networks as ONNX files and some images, for as long as they are needed.

    Args:
        networks: simplified.
        task: side and channels of the images, and classes.
        runtime: of the device.
        rng: decides the images.
        tell: is called with each line of progress.

    Raises:
        UsageError: there is no space.
    """
    with workspace() as folder:
        shape = (IMAGES, task.channels, task.height, task.width)
        images = folder / "images.npy"
        np.save(images, rng.integers(0, 256, shape, dtype=np.uint8))
        files = []
        for number, network in enumerate(networks, 1):
            if number % 20 == 0 or number == len(networks):
                tell(f"writing files: {number} of {len(networks)}")
            files.append(folder / f"{number}.onnx")
            files[-1].write_bytes(model_bytes(network, task, runtime))
        yield files, images


def model_bytes(
    architecture: Architecture, task: TaskSpec, runtime: RuntimeLimits
) -> bytes:
    """The ONNX file of an untrained network, the same bytes each time."""
    network = Network(architecture, task, torch.Generator().manual_seed(0)).eval()
    _repeat(network, np.random.default_rng(0).standard_normal(PERIOD))
    model, _ = build_file(
        network,
        Normalisation(mean=0.5, std=0.25),
        runtime=runtime,
        metadata={"notice": "for measuring latency; its weights mean nothing"},
        class_names=[str(number) for number in range(task.classes)],
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@torch.no_grad()
def _repeat(network: Network, sequence: npt.NDArray[np.float64]) -> None:
    """Fill every weight tensor with the sequence, at the scale of random weights.

    Each begins at another place: no two are alike. numpy's numbers and single products
    are the same on every processor, which torch's are not.
    """
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    for number, weight in enumerate(weights):
        scale = (2 / (weight.shape[0] * math.prod(weight.shape[2:]))) ** 0.5
        values = np.resize(np.roll(sequence, number), weight.numel()) * scale
        weight.copy_(torch.from_numpy(values).view_as(weight))
