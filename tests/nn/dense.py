"""The supernet evaluated plainly: every candidate, kernel and cell, zero or not."""

import torch
from torch import Tensor
from torch.nn import functional

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet
from zonas_edge.space import EDGES, KERNELS, STAGES


def normalise(x: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, training=True)


def dense_edge(edge: torch.nn.Module, x: Tensor, op: Tensor, kernel: Tensor) -> Tensor:
    """``sum_o p_o op_o(x)`` and ``sum_k q_k BN_k(conv(ReLU x, crop_k W))``."""
    active = functional.relu(x)
    one = edge.get_parameter("conv_1x1.weight")
    seven = edge.get_parameter("conv.weight")
    pool = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    convolved = torch.zeros_like(x)
    for column, side in enumerate(KERNELS):
        cut = (7 - side) // 2
        crop = seven[..., cut : 7 - cut, cut : 7 - cut]
        y = functional.conv2d(active, crop, padding=side // 2)
        convolved = convolved + kernel[column] * normalise(y)
    return (
        op[1] * x
        + op[2] * normalise(functional.conv2d(active, one))
        + op[3] * convolved
        + op[4] * pool
    )


def dense(supernet: Supernet, x: Tensor, mixture: Mixture[Tensor]) -> Tensor:
    """Logits of the supernet, with nothing skipped."""
    x = supernet.stem(x)
    for s in range(STAGES):
        if s > 0:
            x = supernet.reductions[s - 1](x)
        exits = torch.zeros_like(x)
        for d in range(supernet.space.max_depth):
            nodes = [x, *[torch.zeros_like(x)] * 3]
            for e, (source, target) in enumerate(EDGES):
                name = f"stages.{s}.{d}.edge_{source}_{target}"
                edge = supernet.get_submodule(name)
                y = dense_edge(
                    edge, nodes[source], mixture.op[s, e], mixture.kernel[s, e]
                )
                nodes[target] = nodes[target] + y
            x = nodes[-1]
            exits = exits + mixture.depth[s, d] * x
        x = exits
    logits: Tensor = supernet.head(x)
    return logits
