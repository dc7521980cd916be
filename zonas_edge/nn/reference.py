"""Reference networks, built from their description.

Order of the papers: convolution, normalisation, activation; in a residual block the
last activation follows the sum. There is no dropout, since the recipe of retraining is
the same for every network.

Sources: see :mod:`zonas_edge.reference`, which holds the layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.nn.classifier import Classifier
from zonas_edge.nn.ops import Changed, NormalisedConvolution, initialise
from zonas_edge.nn.spectral import Features
from zonas_edge.reference import Block, Convolution, Reference
from zonas_edge.space import TaskSpec


class ResidualBlock(nn.Module):
    """Convolutions in a row, with or without a shortcut.

    Args:
        block: its layers.
        ceiling: where the activation ends, None for nowhere.
    """

    def __init__(self, block: Block, ceiling: float | None) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_built(each) for each in block.convolutions)
        self.shortcut: nn.Sequential | None = None
        if block.shortcut is not None:
            self.shortcut = nn.Sequential(*(_built(each) for each in block.shortcut))
        self.active = block.active
        self.ceiling = ceiling

    def forward(self, x: Features) -> Changed:
        y: Tensor = x
        for place, convolution in enumerate(self.convolutions):
            y = convolution(self._activation(y) if place else y)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self._activation(y) if self.active else y

    def _activation(self, x: Tensor) -> Tensor:
        if self.ceiling is None:
            return functional.relu(x)
        return functional.hardtanh(x, 0.0, self.ceiling)


class ReferenceNetwork(Classifier):
    """A reference network as a classifier of normalised images.

    Args:
        reference: which, and how wide.
        task: image channels and classes.
        generator: draws the weights; None leaves them to be loaded.
    """

    def __init__(
        self,
        reference: Reference,
        task: TaskSpec,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(reference, task)
        self.blocks = nn.ModuleList(
            ResidualBlock(block, reference.ceiling)
            for block in reference.blocks(task.channels)
        )
        self.classifier = nn.Linear(reference.features, task.classes)
        if generator is not None:
            initialise(self, generator)

    def forward(self, x: Features) -> Float[Tensor, "batch classes"]:
        y: Tensor = x
        for block in self.blocks:
            y = block(y)
        # as in Head: exported as one ReduceMean, whatever the side
        z: Tensor = self.classifier(y.mean(dim=(2, 3)))
        return z


def _built(layer: Convolution) -> NormalisedConvolution:
    return NormalisedConvolution(
        layer.inputs,
        layer.outputs,
        layer.kernel,
        stride=layer.stride,
        groups=layer.groups,
        running=True,
    )
