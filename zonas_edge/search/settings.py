"""Every figure a search depends on, in one frozen value that the run records."""

from dataclasses import dataclass, field

from zonas_edge.data.batches import batch_of, batch_within
from zonas_edge.search.method import METHODS, Method
from zonas_edge.search.weights import WeightSettings

_LARGEST_BATCH = 64
_LEAST_OF_LARGE_IMAGES = 4


@dataclass(frozen=True)
class SearchSettings:
    """What a search does, apart from its data, space and budget.

    Args:
        method: how alpha is searched, with its own figures.
        epochs: passes over the half of the train split that trains the weights; 0 where
            the method trains nothing.
        batch_size: images a step, of both halves.
        seed: of everything random.
        flip: mirrored images keep their class.
        weights: optimiser of the weights.
        patience: fraction of the epochs for which no decision may change.
        settling: fraction of the epochs after the start of the size phase before which
            the search doesn't stop.
        confidence: mean of the rows' largest probabilities at which it may stop.
    """

    method: Method
    epochs: int
    batch_size: int
    seed: int
    flip: bool
    weights: WeightSettings = field(default_factory=WeightSettings)
    patience: float = 0.1
    settling: float = 0.2
    confidence: float = 0.9

    @classmethod
    def of(
        cls,
        method: str,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        flip: bool,
    ) -> "SearchSettings":
        """The settings of a search by the name of its method.

        Args:
            method: one of ``METHODS``.
            epochs: as asked for, >= 1; the method says how many that are.
            batch_size: images a step.
            seed: of everything random.
            flip: mirrored images keep their class.
        """
        found = METHODS[method]
        return cls(found, found.epochs_for(epochs), batch_size, seed, flip)


def default_batch(images: int, pixels: int, published: int | None) -> int:
    """Batch size of the search.

    Args:
        images: in the half that trains the weights.
        pixels: of an image, height times width.
        published: the set's published batch size, if it has one.

    Returns:
        The published one, else the largest power of two up to 64 that gives at least 16
        steps an epoch; never more than the images. Both are halved for images of more
        than 32x32 pixels, down to 4 of 224x224, since a supernet keeps all its maps.
    """
    wanted = _LARGEST_BATCH if published is None else published
    largest = batch_within(wanted, pixels, least=_LEAST_OF_LARGE_IMAGES)
    if published is not None:
        return min(largest, images)
    return batch_of(images, largest=largest)
