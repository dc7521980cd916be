"""The derived network: one architecture, built to be trained and shipped.

It has only what its architecture uses, and its normalisations carry running statistics,
so that one image at a time gives the same answer as a batch.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.architecture import Architecture, Stage
from zonas_edge.nn.classifier import Classifier
from zonas_edge.nn.ops import (
    ConvolutionBlock,
    Head,
    Reduction,
    Stem,
    average_pool,
    initialise,
)
from zonas_edge.nn.spectral import Features
from zonas_edge.space import EDGES, NODES, STAGES, Op, SearchSpace, TaskSpec


def edge_name(source: int, target: int) -> str:
    """Name of an edge's module, in supernet and network alike."""
    return f"edge_{source}_{target}"


class Cell(nn.Module):
    """A small acyclic graph of four feature maps; the last is the output."""

    def __init__(self, stage: Stage, channels: int) -> None:
        super().__init__()
        self.operations = stage.operations
        for (source, target), kernel, op in zip(
            EDGES, stage.kernels, stage.operations, strict=True
        ):
            side = 1 if op is Op.CONV_1X1 else kernel
            if side is not None:
                block = ConvolutionBlock(channels, side)
                self.add_module(edge_name(source, target), block)

    def forward(self, x: Features) -> Features:
        nodes: list[Tensor | None] = [x, *[None] * (NODES - 1)]
        # a node's ReLU, once for all edges that begin there with a convolution
        active: list[Tensor | None] = [None] * NODES
        for (source, target), op in zip(EDGES, self.operations, strict=True):
            value = nodes[source]
            if op is Op.NONE or value is None:
                continue
            if op in (Op.CONV, Op.CONV_1X1):
                rectified = active[source]
                if rectified is None:
                    rectified = active[source] = functional.relu(value)
                y = self.get_submodule(edge_name(source, target))(rectified)
            else:
                y = average_pool(value) if op is Op.AVG_POOL else value
            total = nodes[target]
            nodes[target] = y if total is None else total + y
        output = nodes[-1]
        if output is None:
            raise ValueError("the cell's output is not connected to its input")
        return output


class Network(Classifier):
    """A classifier of the search space.

    Args:
        architecture: simplified and connected, so that it has no dead weights.
        task: image channels and classes.
        generator: draws the weights; None leaves them to be loaded.
    """

    def __init__(
        self,
        architecture: Architecture,
        task: TaskSpec,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(architecture, task)
        if not architecture.connected or architecture != architecture.simplified():
            raise ValueError("the architecture is not connected and simplified")
        space = SearchSpace(channels=architecture.channels)
        widths = [space.stage_channels(s) for s in range(STAGES)]
        self.stem = Stem(task.channels, widths[0], running=True)
        self.stages = nn.ModuleList(
            nn.ModuleList(Cell(stage, width) for _ in range(stage.depth))
            for stage, width in zip(architecture.stages, widths, strict=True)
        )
        self.reductions = nn.ModuleList(
            Reduction(a, b, running=True) for a, b in pairwise(widths)
        )
        self.head = Head(widths[-1], task.classes, running=True)
        if generator is not None:
            initialise(self, generator)

    def forward(self, x: Features) -> Float[Tensor, "batch classes"]:
        x = self.stem(x)
        # a gray image has no layout, so that the stem's result has the slow one; ONNX
        # knows no layouts
        if not torch.onnx.is_in_onnx_export():
            x = x.contiguous(memory_format=torch.channels_last)
        for s, cells in enumerate(self.stages):
            if s > 0:
                x = self.reductions[s - 1](x)
            if not isinstance(cells, nn.ModuleList):
                raise TypeError(f"stage {s} is no list of cells")
            for cell in cells:
                x = cell(x)
        y: Tensor = self.head(x)
        return y
