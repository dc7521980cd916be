"""The networks to measure, as ONNX files that need little room to travel.

Latency doesn't depend on the weights, so none is trained. Random ones can't be packed,
and 120 networks are some 150 MB; so each weight tensor repeats a short sequence of
random numbers, and a packer needs 2 MB. They are ordinary numbers, no zeros and nothing
near them, and no two tensors are alike, so that neither exporter nor runtime can share
one. Times are the same (benchmarks/LOG.md).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
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
    draw = torch.Generator().manual_seed(0)
    network = Network(architecture, task, draw).eval()
    _repeat(network, torch.randn(PERIOD, generator=draw))
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
def _repeat(network: Network, sequence: torch.Tensor) -> None:
    """Fill every weight tensor with the sequence, at the scale that it has.

    Each begins at another place, and its scale is that of its random weights: no two
    are alike.
    """
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    for number, weight in enumerate(weights):
        times = -(-weight.numel() // len(sequence))
        values = torch.roll(sequence, number).repeat(times)[: weight.numel()]
        weight.copy_(values.view_as(weight) * weight.std())
