"""The search space: what the search may decide, and for which images.

A network is a stem, three stages of equal cells with a stride-2 reduction between
them, and a head. A cell has four nodes; each of its six edges computes one candidate.
Every stage decides the candidate of each edge, the kernel of each convolution, and how
many cells it chains (its depth). A space without sizes decides one cell of operations
for all stages.

Source: ZO-DARTS++ (arXiv:2503.06092) and its published code, for 28x28 images.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

STAGES = 3
NODES = 4
EDGES: tuple[tuple[int, int], ...] = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
KERNELS: tuple[int, ...] = (7, 5, 3)
"""Kernel sizes of the kernel-variable convolution, in the order of their columns."""
FIXED_KERNEL = 3
"""Its size where kernels are not searched."""

SMALLEST_SIDE, LARGEST_SIDE = 8, 224


class Op(StrEnum):
    """What an edge may compute, in the order of the mixture's columns."""

    NONE = "none"
    SKIP = "skip"
    CONV_1X1 = "conv_1x1"
    CONV = "conv"
    """The kernel-variable convolution: 7x7, 5x5 or 3x3."""
    AVG_POOL = "avg_pool"


OPS: tuple[Op, ...] = tuple(Op)


@dataclass(frozen=True)
class TaskSpec:
    """What a classifier sees and says: image ``[channels, height, width]``, classes."""

    channels: int
    height: int
    width: int
    classes: int

    def __post_init__(self) -> None:
        """Refuse what no network of the space can take."""
        if self.channels not in {1, 3}:
            raise ValueError(f"channels is {self.channels}, not 1 or 3")
        if not all(
            SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (self.height, self.width)
        ):
            raise ValueError(
                f"image is {self.height}x{self.width}, sides go from"
                f" {SMALLEST_SIDE} to {LARGEST_SIDE}"
            )
        if self.classes < 2:  # noqa: PLR2004 - one class is no decision
            raise ValueError(f"classes is {self.classes}, below 2")

    @property
    def pixels(self) -> int:
        """Of an image, all channels at one place counted as one."""
        return self.height * self.width

    def resolution(self, stage: int) -> tuple[int, int]:
        """Height and width of the feature maps of a stage; odd sides round up."""
        return (
            math.ceil(self.height / 2**stage),
            math.ceil(self.width / 2**stage),
        )

    def pixels_of(self, stage: int) -> int:
        """Of one feature map of a stage."""
        return math.prod(self.resolution(stage))


@dataclass(frozen=True)
class SearchSpace:
    """How wide and how deep the networks of a search may be.

    Args:
        channels: feature maps of the first stage; each further stage doubles them.
        max_depth: largest number of cells in a stage.
        sizes: kernels and depths are decided too, and each stage for itself; else
            operations alone, the same in every stage, with 3x3 kernels and full depth,
            as in the methods before ZO-DARTS++.
    """

    channels: int = 16
    max_depth: int = 3
    sizes: bool = True

    def __post_init__(self) -> None:
        """Refuse a space with nothing in it."""
        if self.channels < 1:
            raise ValueError(f"channels is {self.channels}, below 1")
        if self.max_depth < 1:
            raise ValueError(f"max_depth is {self.max_depth}, below 1")

    @property
    def kernels(self) -> tuple[int, ...]:
        """Sides that the kernel-variable convolution may have."""
        return KERNELS if self.sizes else (FIXED_KERNEL,)

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of cells that a stage may have."""
        least = 1 if self.sizes else self.max_depth
        return tuple(range(least, self.max_depth + 1))

    def stage_channels(self, stage: int) -> int:
        """Feature maps of a stage."""
        return self.channels * int(2**stage)
