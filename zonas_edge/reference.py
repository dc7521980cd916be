"""Reference networks: known designs beside which a searched one is judged.

They are values, a row of convolutions each: what a network costs is counted, and the
network itself is built, from the same description.

ResNet-18 has the stem for small images, 3x3 at stride 1 and no pooling, as the
baselines of MedMNIST at 28x28 have it. MobileNetV2 is made for 224x224; its first two
halvings are left out here, so that 28x28 ends in 4x4, and its width is a choice.

Sources: He et al. (2016), arXiv:1512.03385, table 1 and section 4.2; Sandler et al.
(2018), arXiv:1801.04381, table 2.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

from zonas_edge.space import TaskSpec

SCHEMA = 1
KIND = "reference"
FULL = 1000
"""Width of the paper's own network, in thousandths."""
WIDEST = 10 * FULL

_RESNET = (64, 128, 256, 512)
"""Feature maps of the four stages of two blocks."""
_MOBILENET = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, feature maps, blocks, stride of the first block."""
_MOBILENET_STEM, _MOBILENET_LAST = 32, 1280
_MULTIPLE = 2
"""Feature maps come in twos. Between narrow networks the paper's eights are steps so
large that up to a fifth of a budget would be left."""


class ReferenceName(StrEnum):
    """Which design."""

    RESNET18 = "resnet18"
    MOBILENETV2 = "mobilenetv2"

    @property
    def scales(self) -> bool:
        """True if the width is chosen by the budget."""
        return self is ReferenceName.MOBILENETV2


@dataclass(frozen=True)
class Convolution:
    """A convolution and its normalisation, which folds into it when deployed.

    Args:
        inputs: feature maps.
        outputs: feature maps.
        kernel: side, odd; the padding keeps the image's side at stride 1.
        stride: 2 halves the image, odd sides round up.
        groups: as many as ``inputs`` for a depthwise one.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1

    @property
    def weights(self) -> int:
        """Weights without the bias that the folded normalisation leaves."""
        return self.kernel**2 * self.inputs * self.outputs // self.groups


@dataclass(frozen=True)
class Block:
    """Convolutions in a row, an activation between any two.

    Args:
        convolutions: at least one.
        shortcut: what the block's input passes through before it is added to the
            output: () for the input itself, None for nothing added at all.
        active: whether an activation comes last.
    """

    convolutions: tuple[Convolution, ...]
    shortcut: tuple[Convolution, ...] | None
    active: bool


@dataclass(frozen=True)
class Layer:
    """A convolution at its place in a network.

    Args:
        convolution: what it computes.
        pixels_in: of one feature map that it reads.
        pixels_out: of one that it writes.
        added: whether a shortcut is added to what it writes.
    """

    convolution: Convolution
    pixels_in: int
    pixels_out: int
    added: bool = False


@dataclass(frozen=True)
class Reference:
    """A reference network of one width.

    Args:
        name: which design.
        width: feature maps relative to the paper's, in thousandths.
    """

    name: ReferenceName
    width: int = FULL

    def __post_init__(self) -> None:
        """Refuse what is no reference network."""
        if not 1 <= self.width <= WIDEST:
            raise ValueError(f"width is {self.width}, not from 1 to {WIDEST}")
        if self.width != FULL and not self.name.scales:
            raise ValueError(f"{self.name.value} has one width, {FULL}")

    @property
    def ceiling(self) -> float | None:
        """Where the activation ends: 6 for ReLU6, None for ReLU."""
        return 6.0 if self.name is ReferenceName.MOBILENETV2 else None

    def blocks(self, image_channels: int) -> tuple[Block, ...]:
        """Everything before the mean over the pixels and the classifier."""
        if self.name is ReferenceName.RESNET18:
            return tuple(_resnet(image_channels))
        return tuple(_mobilenet(image_channels, self._maps))

    @property
    def features(self) -> int:
        """Feature maps that the classifier sees."""
        return self.blocks(1)[-1].convolutions[-1].outputs

    def layers(self, task: TaskSpec) -> Iterator[Layer]:
        """Every convolution with the size of the images that it sees."""
        height, width = task.height, task.width
        for block in self.blocks(task.channels):
            begin, last = height * width, len(block.convolutions) - 1
            for place, convolution in enumerate(block.convolutions):
                before = height * width
                height = math.ceil(height / convolution.stride)
                width = math.ceil(width / convolution.stride)
                added = place == last and block.shortcut is not None
                yield Layer(convolution, before, height * width, added)
            for convolution in block.shortcut or ():
                yield Layer(convolution, begin, height * width)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "name": self.name.value,
            "width": self.width,
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: if the object is no reference network of schema 1.
        """
        try:
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema is {data['schema']}, not {SCHEMA}")
            return cls(ReferenceName(data["name"]), int(data["width"]))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no reference network: {error}") from error

    def summary(self) -> str:
        """Its name, and its width where that was chosen."""
        if not self.name.scales:
            return f"{self.name.value} (a reference network)"
        return f"{self.name.value} (a reference network, width {self.width / FULL:g})"

    def _maps(self, maps: int) -> int:
        """Feature maps at this width: an even number."""
        wanted = maps * self.width / FULL
        return max(_MULTIPLE, math.floor(wanted / _MULTIPLE + 1 / 2) * _MULTIPLE)


def _resnet(image_channels: int) -> Iterator[Block]:
    """Basic blocks; a shortcut that changes its shape is a 1x1 convolution."""
    first = _RESNET[0]
    yield Block((Convolution(image_channels, first, 3),), None, active=True)
    for a, b in pairwise((first, *_RESNET)):
        stride = 1 if a == b else 2
        shortcut = () if a == b else (Convolution(a, b, 1, stride),)
        one, two = Convolution(a, b, 3, stride), Convolution(b, b, 3)
        yield Block((one, two), shortcut, active=True)
        yield Block((two, two), (), active=True)


def _mobilenet(image_channels: int, maps: Callable[[int], int]) -> Iterator[Block]:
    """Inverted residuals: widen, a 3x3 on each map, narrow without an activation."""
    a = maps(_MOBILENET_STEM)
    yield Block((Convolution(image_channels, a, 3),), None, active=True)
    for expansion, full, count, first in _MOBILENET:
        b = maps(full)
        for place in range(count):
            inner, stride = expansion * a, first if place == 0 else 1
            widen = (Convolution(a, inner, 1),) if expansion > 1 else ()
            depthwise = Convolution(inner, inner, 3, stride, groups=inner)
            # by its place: whether maps happen to agree depends on the width
            shortcut = None if place == 0 else ()
            row = (*widen, depthwise, Convolution(inner, b, 1))
            yield Block(row, shortcut, active=False)
            a = b
    yield Block((Convolution(a, maps(_MOBILENET_LAST), 1),), None, active=True)
