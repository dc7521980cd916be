"""The supernet: every architecture of the space at once, weights shared.

It holds weights only; it is *called with* a mixture. Because sparsemax makes exact
zeros, a candidate, kernel or cell whose probability is zero is not computed. That
changes nothing: its contribution is zero, and outside its support sparsemax has zero
gradient.

The kernel-variable convolution owns one 7x7 tensor; its centre crops are the 5x5 and
3x3 kernels. Each kernel has its own normalisation, and the mixing comes after it, so
that a one-hot mixture is exactly the derived network.

All normalisations use the statistics of the batch: the weights change too fast for
running ones. ``inherit`` builds a network with running statistics to be recalibrated.

Source: sections 2 and 13 of the design.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.architecture import Architecture, Mixture
from zonas_edge.nn.network import Network, edge_name
from zonas_edge.nn.ops import (
    ConvolutionBlock,
    Features,
    Head,
    Reduction,
    Stem,
    average_pool,
    convolution,
    initialise,
)
from zonas_edge.space import (
    EDGES,
    KERNELS,
    NODES,
    OPS,
    STAGES,
    Op,
    SearchSpace,
    TaskSpec,
)

LARGEST_KERNEL = max(KERNELS)


def centre_crop(weight: Tensor, kernel: int) -> Tensor:
    """The ``kernel`` x ``kernel`` centre of a square convolution weight, as a view."""
    margin = (weight.shape[-1] - kernel) // 2
    end = margin + kernel
    return weight[:, :, margin:end, margin:end]


def _scaled_norm(x: Tensor, scale: Tensor) -> Tensor:
    """Normalise with the batch's statistics and multiply by ``scale``, in one pass."""
    return functional.batch_norm(
        x, None, None, weight=scale.expand(x.shape[1]).contiguous(), training=True
    )


class MixedEdge(nn.Module):
    """Every candidate of one edge, summed with the mixture's probabilities."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_1x1 = convolution(channels, channels, 1)
        self.conv = convolution(channels, channels, LARGEST_KERNEL)

    def forward(
        self,
        x: Features,
        active: Features,
        op: Float[Tensor, "op"],
        kernel: Float[Tensor, "kernel"],
        support: tuple[list[float], list[float]],
    ) -> Tensor | None:
        """Sum of the candidates in the support, or None if that is ``none`` alone.

        Args:
            x: the source node.
            active: its ReLU, computed once a node.
            op: probabilities of the candidates.
            kernel: probabilities of the kernels.
            support: both as numbers, so that skipping costs no synchronisation.
        """
        op_values, kernel_values = support
        total: Tensor | None = None
        for column, candidate in enumerate(OPS):
            if op_values[column] == 0 or candidate is Op.NONE:
                continue
            if candidate is Op.SKIP:
                y = x * op[column]
            elif candidate is Op.AVG_POOL:
                y = average_pool(x) * op[column]
            elif candidate is Op.CONV_1X1:
                y = _scaled_norm(self.conv_1x1(active), op[column])
            else:
                y = self._kernels(active, op[column], kernel, kernel_values)
            total = y if total is None else total + y
        return total

    def _kernels(
        self, active: Tensor, scale: Tensor, kernel: Tensor, values: list[float]
    ) -> Tensor:
        total: Tensor | None = None
        for column, side in enumerate(KERNELS):
            if values[column] == 0:
                continue
            weight = centre_crop(self.conv.weight, side)
            y = functional.conv2d(active, weight, padding=side // 2)
            y = _scaled_norm(y, scale * kernel[column])
            total = y if total is None else total + y
        if total is None:
            raise ValueError("no kernel has probability")
        return total


class MixedCell(nn.Module):
    """A cell with every candidate on every edge."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for source, target in EDGES:
            self.add_module(edge_name(source, target), MixedEdge(channels))

    def forward(
        self,
        x: Features,
        op: Float[Tensor, "edge op"],
        kernel: Float[Tensor, "edge kernel"],
        support: tuple[list[list[float]], list[list[float]]],
    ) -> Features:
        nodes: list[Tensor | None] = [x, *[None] * (NODES - 1)]
        active: dict[int, Tensor] = {}
        for e, (source, target) in enumerate(EDGES):
            value = nodes[source]
            if value is None:
                continue
            if source not in active:
                active[source] = functional.relu(value)
            y = self.get_submodule(edge_name(source, target))(
                value, active[source], op[e], kernel[e], (support[0][e], support[1][e])
            )
            if y is not None:
                total = nodes[target]
                nodes[target] = y if total is None else total + y
        output = nodes[-1]
        return torch.zeros_like(x) if output is None else output


class Supernet(nn.Module):
    """All networks of a space, for one task.

    Args:
        space: width and depth.
        task: image channels and classes.
        generator: draws the weights.
    """

    def __init__(
        self, space: SearchSpace, task: TaskSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.space = space
        self.task = task
        widths = [space.stage_channels(s) for s in range(STAGES)]
        self.stem = Stem(task.channels, widths[0], running=False)
        self.stages = nn.ModuleList(
            nn.ModuleList(MixedCell(width) for _ in range(space.max_depth))
            for width in widths
        )
        self.reductions = nn.ModuleList(
            Reduction(a, b, running=False) for a, b in pairwise(widths)
        )
        self.head = Head(widths[-1], task.classes, running=False)
        initialise(self, generator)

    def forward(
        self, x: Features, mixture: Mixture[Tensor]
    ) -> Float[Tensor, "batch classes"]:
        ops, kernels, depths = (
            part.tolist() for part in (mixture.op, mixture.kernel, mixture.depth)
        )
        # channels-last is what the CPU's and the GPU's convolutions like best; the
        # layout set here carries through the whole network
        x = self.stem(x).contiguous(memory_format=torch.channels_last)
        for s in range(STAGES):
            if s > 0:
                x = self.reductions[s - 1](x)
            exits: Tensor | None = None
            # cells deeper than the last exit with probability reach nothing
            last = max(d for d, p in enumerate(depths[s]) if p > 0)
            for d in range(last + 1):
                cell = self.get_submodule(f"stages.{s}.{d}")
                x = cell(x, mixture.op[s], mixture.kernel[s], (ops[s], kernels[s]))
                if depths[s][d] > 0:
                    y = x * mixture.depth[s, d]
                    exits = y if exits is None else exits + y
            if exits is None:
                raise ValueError(f"stage {s} has no exit with probability")
            x = exits
        logits: Tensor = self.head(x)
        return logits


@torch.no_grad()
def inherit(supernet: Supernet, architecture: Architecture) -> Network:
    """A network with the supernet's weights; its statistics are still to be set.

    Norms inside the cells start as identity, which is what the supernet uses.
    """
    network = Network(architecture, supernet.task)
    device = next(supernet.parameters()).device
    dtype = next(supernet.parameters()).dtype
    network.to(device=device, dtype=dtype)
    for part in ("stem", "reductions", "head"):
        state = supernet.get_submodule(part).state_dict()
        network.get_submodule(part).load_state_dict(state, strict=False)
    for name, block in network.named_modules():
        if isinstance(block, ConvolutionBlock):
            weight = block.convolution.weight
            side = weight.shape[-1]
            shared = "conv_1x1" if side == 1 else "conv"
            source = supernet.get_parameter(f"{name}.{shared}.weight")
            weight.copy_(centre_crop(source, side))
    return network
