"""Retraining a derived network as a textbook would write it: yardstick of retraining.

Plain eager float32 modules in torch's own layout, a loader that augments image by image
on the CPU, AdamW, label smoothing, and an average of the weights kept by a loop over
them. Why it stays plain: see ``textbook.py``.

Parameters have the names that they have in ``zonas_edge.nn.network.Network``, so its
``state_dict`` loads here as it is.

Source: the cell and stages of ZO-DARTS++ (arXiv:2503.06092) and its published code.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from textbook import Batch
from textbook_supernet import EDGES, Head, Reduction, Stem, convolution
from torch import Tensor, nn
from torch.nn import functional

Operation = str | int
"""``none``, ``skip``, ``pool``, or the side of a convolution."""


class Block(nn.Module):
    """ReLU, convolution, normalisation."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.convolution = convolution(channels, channels, kernel)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """As many feature maps as came in."""
        return self.norm(self.convolution(self.relu(x)))


class Cell(nn.Module):
    """Four nodes; each is the sum of the edges from those before it."""

    def __init__(self, operations: Sequence[Operation], channels: int) -> None:
        super().__init__()
        self.edges = [
            (i, j, operation)
            for (i, j), operation in zip(EDGES, operations, strict=True)
            if operation != "none"
        ]
        for i, j, operation in self.edges:
            if isinstance(operation, int):
                self.add_module(f"edge_{i}_{j}", Block(channels, operation))
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """The last node."""
        nodes: list[Any] = [x, 0, 0, 0]
        for i, j, operation in self.edges:
            y = nodes[i]
            if operation == "pool":
                y = self.pool(y)
            elif operation != "skip":
                y = self.get_submodule(f"edge_{i}_{j}")(y)
            nodes[j] = nodes[j] + y
        return nodes[-1]


class Network(nn.Module):
    """One network of the space.

    Args:
        stages: operations of the six edges, and depth, of each stage.
        channels: feature maps of the first stage.
        image_channels: of the images.
        classes: of the classifier.
    """

    def __init__(
        self,
        stages: Sequence[tuple[Sequence[Operation], int]],
        channels: int,
        *,
        image_channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        widths = [channels * 2**s for s in range(len(stages))]
        self.stem = Stem(image_channels, widths[0], running=True)
        self.stages = nn.ModuleList(
            nn.ModuleList(Cell(operations, width) for _ in range(depth))
            for (operations, depth), width in zip(stages, widths, strict=True)
        )
        self.reductions = nn.ModuleList(
            Reduction(width, 2 * width, running=True) for width in widths[:-1]
        )
        self.head = Head(widths[-1], classes, running=True)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        for s, cells in enumerate(self.stages):
            if s > 0:
                x = self.reductions[s - 1](x)
            for cell in cells:
                x = cell(x)
        return self.head(x)


class TextbookRetraining:
    """Training of a network, and of the average of its weights.

    Args:
        network: trained in place.
        rate: learning rate.
        share: of the current weights in the average, at each step.
    """

    def __init__(
        self, network: Network, *, rate: float = 3e-3, share: float = 0.01
    ) -> None:
        self.network = network
        self.average = copy.deepcopy(network)
        self.share = share
        parameters = list(network.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim > 1]},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=rate,
            weight_decay=0.05,
        )

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step of the weights and of their average; the loss."""
        logits = self.network(images)
        loss = functional.cross_entropy(logits, labels, label_smoothing=0.1)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for averaged, current in zip(
                self.average.state_dict().values(),
                self.network.state_dict().values(),
                strict=True,
            ):
                if averaged.is_floating_point():
                    averaged.mul_(1 - self.share).add_(current, alpha=self.share)
                else:
                    averaged.copy_(current)
        return loss.detach()

    def epoch(self, batches: Iterable[Batch]) -> Tensor:
        """One pass over the batches; their mean loss."""
        self.network.train()
        return torch.stack([self.step(*batch) for batch in batches]).mean()
