"""The batches of a search: both halves of the train split, augmented."""

from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    crop_padding,
    epoch_order,
)
from zonas_edge.search.window import Batch


@dataclass(frozen=True)
class SearchData:
    """The two halves of the train split, and how images are normalised.

    Args:
        weights: trains the weights (inner problem).
        alphas: trains the architecture parameters (outer problem).
        normalisation: of the whole train split.
    """

    weights: DeviceSplit
    alphas: DeviceSplit
    normalisation: Normalisation


class Feed:
    """Draws batches.

    Args:
        data: both halves.
        batch_size: images a batch.
        flip: mirrored images keep their class.
        generator: draws.
        dtype: of the images that come out.
    """

    def __init__(
        self,
        data: SearchData,
        *,
        batch_size: int,
        flip: bool,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        self._data = data
        self._size = batch_size
        self._flip = flip
        self._generator = generator
        self._dtype = dtype

    @property
    def steps(self) -> int:
        """Full batches in the half that trains the weights."""
        return max(1, len(self._data.weights) // self._size)

    def order(self) -> Int64[Tensor, "n"]:
        """A new order of the half that trains the weights."""
        return epoch_order(len(self._data.weights), self._generator)

    def train(self, order: Int64[Tensor, "n"], step: int) -> Batch:
        """The batch of a step of the epoch."""
        places = order[step * self._size : (step + 1) * self._size]
        return self._batch(self._data.weights, places)

    def validation(self) -> Batch:
        """A batch of the alphas' half, drawn with replacement."""
        count = len(self._data.alphas)
        size = min(self._size, count)
        places = torch.randint(count, (size,), generator=self._generator)
        return self._batch(self._data.alphas, places)

    def _batch(self, split: DeviceSplit, places: Tensor) -> Batch:
        part = split.take(places)
        images = augment(
            part.images,
            self._generator,
            padding=crop_padding(*part.images.shape[2:]),
            flip=self._flip,
        )
        normalised = self._data.normalisation.apply(images).to(self._dtype)
        return Batch(normalised, part.labels)
