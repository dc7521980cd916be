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

Source: ZO-DARTS++ (arXiv:2503.06092), figure 1, and its published code; there each
kernel is a branch of its own, and the mixing is the same.
"""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.architecture import Architecture, Mixture
from zonas_edge.nn.network import Network, edge_name
from zonas_edge.nn.ops import (
    ConvolutionBlock,
    Head,
    Reduction,
    Stem,
    average_pool,
    convolution,
    initialise,
)
from zonas_edge.nn.spectral import Features, convolve
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

_SKIP, _CONV_1X1, _CONV, _POOL = (
    OPS.index(op) for op in (Op.SKIP, Op.CONV_1X1, Op.CONV, Op.AVG_POOL)
)


Support = Mixture[list[Any]]
"""The probabilities of a mixture as numbers: which candidates are computed."""


def support_of(mixture: Mixture[Tensor]) -> Support:
    """The mixture as numbers; on a GPU this waits for it, so do it once a window."""
    return Mixture(
        op=mixture.op.tolist(),
        kernel=mixture.kernel.tolist(),
        depth=mixture.depth.tolist(),
    )


class _AddScaled(torch.autograd.Function):
    """``total + probability * x`` in place, in one pass over the memory.

    The probability comes twice, as a tensor that receives its gradient if it wants one
    and as the number to multiply with, so that nothing waits for a device.
    """

    @staticmethod
    def forward(
        ctx: Any, total: Tensor, x: Tensor, probability: Tensor, value: float
    ) -> Tensor:
        ctx.value = value
        ctx.save_for_backward(*([x] if probability.requires_grad else []))
        ctx.mark_dirty(total)
        return total.add_(x, alpha=value)

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, None]:
        (gradient,) = gradients
        slope = (gradient * ctx.saved_tensors[0]).sum() if ctx.saved_tensors else None
        return gradient, gradient * ctx.value, slope, None


def _add_scaled(
    total: Tensor | None, x: Tensor, probability: Tensor, value: float
) -> Tensor | None:
    """``total + probability * x``; ``total`` is used up, None is zero."""
    if value == 0:
        return total
    if total is None:
        return x * probability
    y: Tensor = _AddScaled.apply(total, x, probability, value)  # type: ignore[no-untyped-call]
    return y


def _add(total: Tensor | None, y: Tensor | None) -> Tensor | None:
    """``total + y``; both are used up, None is zero."""
    if total is None or y is None:
        return y if total is None else total
    return total.add_(y)


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
    """The weights of one edge: a 1x1 kernel, and a 7x7 one that holds 5x5 and 3x3.

    Args:
        channels: feature maps.
        largest: side of the larger kernel: no more than the space can use.
    """

    def __init__(self, channels: int, largest: int) -> None:
        super().__init__()
        self.conv_1x1 = convolution(channels, channels, 1)
        self.conv = convolution(channels, channels, largest)

    def candidates(
        self,
        op: Float[Tensor, "op"],
        kernel: Float[Tensor, "kernel"],
        support: tuple[list[float], list[float]],
    ) -> list[tuple[Tensor, Tensor]]:
        """Kernel and probability of each convolution in the support.

        Args:
            op: probabilities of the candidates.
            kernel: probabilities of the kernels.
            support: both as numbers.

        Raises:
            ValueError: the kernel-variable convolution has probability, no kernel has.
        """
        ops, kernels = support
        found: list[tuple[Tensor, Tensor]] = []
        if ops[_CONV_1X1] > 0:
            found.append((self.conv_1x1.weight, op[_CONV_1X1]))
        if ops[_CONV] > 0:
            if not any(kernels):
                raise ValueError("no kernel has probability")
            found += [
                (centre_crop(self.conv.weight, side), op[_CONV] * kernel[column])
                for column, side in enumerate(KERNELS)
                if kernels[column] > 0
            ]
        return found


class MixedCell(nn.Module):
    """A cell with every candidate on every edge."""

    def __init__(self, channels: int, largest: int) -> None:
        super().__init__()
        for source, target in EDGES:
            self.add_module(edge_name(source, target), MixedEdge(channels, largest))

    def forward(
        self,
        x: Features,
        op: Float[Tensor, "edge op"],
        kernel: Float[Tensor, "edge kernel"],
        support: tuple[list[list[float]], list[list[float]]],
    ) -> Features:
        nodes: list[Tensor | None] = [x]
        convolved = self._convolve(0, x, op, kernel, support)
        for node in range(1, NODES):
            total: Tensor | None = None
            pooled: Tensor | None = None
            for e, (source, target) in enumerate(EDGES):
                value = nodes[source] if target == node else None
                if value is None:
                    continue
                ops = support[0][e]
                total = _add(total, convolved.pop(e, None))
                total = _add_scaled(total, value, op[e, _SKIP], ops[_SKIP])
                pooled = _add_scaled(pooled, value, op[e, _POOL], ops[_POOL])
            # pooling is linear, so the node pools once, not every edge that leads to it
            total = _add(total, None if pooled is None else average_pool(pooled))
            nodes.append(total)
            if total is not None:
                convolved |= self._convolve(node, total, op, kernel, support)
        output = nodes[-1]
        return torch.zeros_like(x) if output is None else output

    def _convolve(
        self,
        source: int,
        value: Tensor,
        op: Tensor,
        kernel: Tensor,
        support: tuple[list[list[float]], list[list[float]]],
    ) -> dict[int, Tensor | None]:
        """For each edge from a node, the sum of its normalised convolutions."""
        plan: list[tuple[int, Tensor, Tensor]] = []
        for e, (start, target) in enumerate(EDGES):
            if start == source:
                edge: Any = self.get_submodule(edge_name(start, target))
                numbers = (support[0][e], support[1][e])
                for weight, probability in edge.candidates(op[e], kernel[e], numbers):
                    plan.append((e, weight, probability))
        sums: dict[int, Tensor | None] = {}
        if plan:
            outputs = convolve(
                functional.relu(value), [weight for _, weight, _ in plan]
            )
            for (e, _, probability), y in zip(plan, outputs, strict=True):
                sums[e] = _add(sums.get(e), _scaled_norm(y, probability))
        return sums


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
            nn.ModuleList(
                MixedCell(width, max(space.kernels)) for _ in range(space.max_depth)
            )
            for width in widths
        )
        self.reductions = nn.ModuleList(
            Reduction(a, b, running=False) for a, b in pairwise(widths)
        )
        self.head = Head(widths[-1], task.classes, running=False)
        initialise(self, generator)

    def forward(
        self, x: Features, mixture: Mixture[Tensor], support: Support | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Logits of a batch under a mixture.

        Args:
            x: normalised images.
            mixture: probabilities; receives gradients if it wants them.
            support: the same as numbers, where they are known already.
        """
        numbers = support_of(mixture) if support is None else support
        ops, kernels, depths = numbers.op, numbers.kernel, numbers.depth
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
                    exits = _add_scaled(exits, x, mixture.depth[s, d], depths[s][d])
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
