"""The supernet of ZO-DARTS++ as a textbook would write it: plain eager modules.

Every candidate is computed, whatever its probability. Parameters have the names that
they have in ``zonas_edge.nn.supernet.Supernet``, so its ``state_dict`` loads here as it
is. Why it stays plain: see ``textbook.py``.

Source: ZO-DARTS++ (arXiv:2503.06092), figure 1; here with one 7x7 tensor whose centre
crops are the smaller kernels, mixed after one normalisation each, and with batch
statistics everywhere.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = 3
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
KERNELS = (7, 5, 3)

Mixture = tuple[Tensor, Tensor | None, Tensor | None]
"""Probabilities of operations, of kernels and of depths; None before the size phase."""


def convolution(a: int, b: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, since a normalisation follows."""
    return nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False)


def norm(channels: int, *, running: bool) -> nn.BatchNorm2d:
    """A normalisation; without running statistics it always uses the batch's own."""
    return nn.BatchNorm2d(channels, track_running_stats=running)


class Stem(nn.Module):
    """The first convolution."""

    def __init__(
        self, image_channels: int, channels: int, *, running: bool = False
    ) -> None:
        super().__init__()
        self.convolution = convolution(image_channels, channels, 3)
        self.norm = norm(channels, running=running)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps of the first stage."""
        return self.norm(self.convolution(x))


class Reduction(nn.Module):
    """The residual block of stride 2 between two stages."""

    def __init__(self, a: int, b: int, *, running: bool = False) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.first = convolution(a, b, 3, 2)
        self.first_norm = norm(b, running=running)
        self.second = convolution(b, b, 3)
        self.second_norm = norm(b, running=running)
        # rounds odd sides up, as the strided convolution does
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = convolution(a, b, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the channels at half the side."""
        y = self.first_norm(self.first(self.relu(x)))
        y = self.second_norm(self.second(self.relu(y)))
        return y + self.shortcut(self.pool(x))


class Head(nn.Module):
    """Normalisation, ReLU, mean over the pixels, classifier."""

    def __init__(self, channels: int, classes: int, *, running: bool = False) -> None:
        super().__init__()
        self.norm = norm(channels, running=running)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.relu(self.norm(x)).mean(dim=(2, 3)))


class MixedEdge(nn.Module):
    """The five candidates of an edge, summed with their probabilities."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1x1 = convolution(channels, channels, 1)
        self.conv = convolution(channels, channels, max(KERNELS))
        # without parameters and statistics: one serves all
        self.norm = nn.BatchNorm2d(channels, affine=False, track_running_stats=False)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor, op: Tensor, kernel: Tensor | None) -> Tensor:
        """Sum over none, skip, 1x1, kernel-variable convolution and pooling."""
        candidates = (
            torch.zeros_like(x),
            x,
            self.norm(self.conv_1x1(self.relu(x))),
            self._kernels(self.relu(x), kernel),
            self.pool(x),
        )
        return sum(p * y for p, y in zip(op, candidates, strict=True))

    def _kernels(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        if kernel is None:  # before the size phase there is only the largest
            return self.norm(self.conv(x))
        branches = []
        for side in KERNELS:
            cut = (max(KERNELS) - side) // 2
            crop = self.conv.weight[:, :, cut : cut + side, cut : cut + side]
            branches.append(self.norm(functional.conv2d(x, crop, padding="same")))
        return sum(q * y for q, y in zip(kernel, branches, strict=True))


class MixedCell(nn.Module):
    """Four nodes; each is the sum of the edges from those before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for i, j in EDGES:
            self.add_module(f"edge_{i}_{j}", MixedEdge(channels))

    def forward(self, x: Tensor, op: Tensor, kernel: Tensor | None) -> Tensor:
        """The last node."""
        nodes: list[Any] = [x, 0, 0, 0]
        for e, (i, j) in enumerate(EDGES):
            edge = self.get_submodule(f"edge_{i}_{j}")
            row = None if kernel is None else kernel[e]
            nodes[j] = nodes[j] + edge(nodes[i], op[e], row)
        return nodes[-1]


class Supernet(nn.Module):
    """All networks of the space at once; called with a mixture."""

    def __init__(
        self,
        channels: int = 16,
        max_depth: int = 3,
        *,
        image_channels: int = 1,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.max_depth = max_depth
        widths = [channels * 2**s for s in range(STAGES)]
        self.stem = Stem(image_channels, widths[0])
        self.stages = nn.ModuleList(
            nn.ModuleList(MixedCell(width) for _ in range(max_depth))
            for width in widths
        )
        self.reductions = nn.ModuleList(
            Reduction(width, 2 * width) for width in widths[:-1]
        )
        self.head = Head(widths[-1], classes)

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """Logits; every cell is computed, whatever the depths say."""
        op, kernel, depth = mixture
        x = self.stem(x)
        for s, cells in enumerate(self.stages):
            if s > 0:
                x = self.reductions[s - 1](x)
            exits = []
            for cell in cells:
                x = cell(x, op[s], None if kernel is None else kernel[s])
                exits.append(x)
            if depth is not None:
                x = sum(r * y for r, y in zip(depth[s], exits, strict=True))
        return self.head(x)
