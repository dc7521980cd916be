"""Images as one tensor on the device; batches, augmentation and normalisation there.

A small medical set fits any device whole as uint8, so no loader, worker or copy stands
between the images and the network. Random numbers are always drawn on the CPU and then
moved, so that a CPU and a GPU run see the same crops in the same order.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from zonas_edge.data.dataset import Dataset, Split

_Places = Int64[np.ndarray, "m"]
_LEAST_STEPS = 16
_SMALL_PIXELS = 32 * 32
_LEVELS = 256
_WHITE = 255


@dataclass(frozen=True, eq=False)
class DeviceSplit:
    """A split, or a part of one, on a device."""

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]

    @classmethod
    def of(cls, split: Split, device: torch.device | str = "cpu") -> Self:
        """Copy a split to a device."""
        return cls(
            torch.tensor(split.images, device=device),
            torch.tensor(split.labels, device=device),
        )

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def take(self, indices: Int64[Tensor, "m"] | Int64[np.ndarray, "m"]) -> Self:
        """Select images by their places; the indices may lie on another device."""
        places = torch.as_tensor(indices, device=self.labels.device)
        return type(self)(self.images[places], self.labels[places])


@dataclass(frozen=True)
class Normalisation:
    """One mean and one deviation for all channels, in units of pixels from 0 to 1.

    Scalars, so that the exported model needs two one-element constants and no more.
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        """Refuse what can't be divided by."""
        if not self.std > 0:
            raise ValueError(f"std is {self.std}, not above 0")

    @classmethod
    def of(cls, split: Split) -> Self:
        """Mean and deviation of all pixels of a split, exact up to the last rounding.

        Raises:
            ValueError: all pixels are equal.
        """
        counts = np.zeros(_LEVELS, dtype=np.int64)
        for image in split.images:  # one at a time: bincount makes int64 of its input
            counts += np.bincount(image.reshape(-1), minlength=_LEVELS)
        values = np.arange(_LEVELS) / _WHITE
        share = counts / counts.sum()
        mean = float(share @ values)
        return cls(mean, float(np.sqrt(share @ (values - mean) ** 2)))

    def apply(self, images: UInt8[Tensor, "n c h w"]) -> Float32[Tensor, "n c h w"]:
        """Compute ``(x / 255 - mean) / std``."""
        return (images.to(torch.float32) / _WHITE - self.mean) / self.std


@dataclass(frozen=True, eq=False)
class DeviceData:
    """What a network learns from and is judged by, on the device that computes.

    Args:
        train: learned from.
        val: judges.
        normalisation: of the whole train split.
    """

    train: DeviceSplit
    val: DeviceSplit
    normalisation: Normalisation

    @classmethod
    def of(cls, dataset: Dataset, device: torch.device | str) -> Self:
        """Both splits of a data set, and what the first one is normalised by."""
        return cls(
            DeviceSplit.of(dataset.train, device),
            DeviceSplit.of(dataset.val, device),
            Normalisation.of(dataset.train),
        )


def crop_padding(height: int, width: int) -> int:
    """Pixels by which a random crop may shift an image: a seventh, 4 at 28x28."""
    return max(1, round(min(height, width) / 7))


def augment(
    images: UInt8[Tensor, "n c h w"],
    generator: torch.Generator,
    *,
    padding: int,
    flip: bool,
) -> UInt8[Tensor, "n c h w"]:
    """Shift each image at random over black, and mirror half of them if allowed.

    Args:
        images: a batch on any device; not changed.
        generator: on the CPU, whatever the device of the images.
        padding: largest shift in each direction, pixels, >= 0.
        flip: mirror left and right with probability 1/2; only where a mirrored image
            keeps its class (`Dataset.flip`).
    """
    count, channels, height, width = images.shape
    down, right = torch.randint(
        2 * padding + 1, (2, count, 1), generator=generator
    ).unbind()
    rows = down + torch.arange(height)
    columns = torch.arange(width).expand(count, width)
    if flip:
        mirrored = torch.randint(2, (count, 1), generator=generator).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns + right
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    device = images.device
    return padded[
        torch.arange(count, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[:, None, None],
        rows.to(device)[:, None, :, None],
        columns.to(device)[:, None, None, :],
    ]


def epoch_order(count: int, generator: torch.Generator) -> Int64[Tensor, "count"]:
    """Draw the order of an epoch, on the CPU; split it into batches with ``.split``."""
    return torch.randperm(count, generator=generator)


def batch_of(
    images: int, *, largest: int, least: int = 1, steps: int = _LEAST_STEPS
) -> int:
    """The largest power of two up to a bound that gives enough steps an epoch.

    Args:
        images: an epoch sees each of them once.
        largest: bound, a power of two.
        least: what is returned if even the smallest batch gives fewer steps.
        steps: an epoch has so many, at least.
    """
    size = largest
    while size > least and images // size < steps:
        size //= 2
    return size


def batch_within(batch: int, pixels: int, *, least: int) -> int:
    """A batch that takes no more memory than the same number of small images would.

    Args:
        batch: of images of up to 32x32.
        pixels: of an image, height times width.
        least: bound from below; maps of many pixels give norms enough to go by.

    Returns:
        The batch, halved as often as it takes.
    """
    size = batch
    while size > least and size * pixels > batch * _SMALL_PIXELS:
        size //= 2
    return max(size, min(batch, least))


def stratified_halves(
    labels: Int64[np.ndarray, "n"], rng: np.random.Generator
) -> tuple[Int64[np.ndarray, "a"], Int64[np.ndarray, "b"]]:
    """Split images into two halves with the same share of each class.

    The odd image of a class goes to the first half and to the second by turns, so the
    halves differ by at most one image, in all and in each class.

    Args:
        labels: class of each image; each class at least twice.
        rng: decides which image goes where.

    Returns:
        Two sorted, disjoint arrays of places in ``labels`` that cover all of them.

    Raises:
        ValueError: a class with a single image can't be in both halves.
    """
    halves: tuple[list[_Places], list[_Places]] = ([], [])
    extra_first = True
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) == 1:
            raise ValueError(f"class {label} has a single image, halves need 2")
        middle = (len(members) + extra_first) // 2
        extra_first ^= len(members) % 2 == 1
        halves[0].append(members[:middle])
        halves[1].append(members[middle:])
    first, second = (np.sort(np.concatenate(half)) for half in halves)
    return first, second


def stratified_sample(
    labels: Int64[np.ndarray, "n"],
    count: int,
    rng: np.random.Generator,
    *,
    least: int = 1,
) -> Int64[np.ndarray, "m"]:
    """Draw images with the same share of each class.

    Args:
        labels: class of each image.
        count: images to draw, >= 1; rounding up makes it one more a class at most.
        rng: decides which.
        least: images of each class, as far as there are so many; may add to ``count``.

    Returns:
        Sorted places in ``labels``; all of them if there are no more than ``count``.
    """
    chosen = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        share = -(-len(members) * count // len(labels))  # rounded up
        chosen.append(members[: max(share, least)])
    return np.sort(np.concatenate(chosen))
