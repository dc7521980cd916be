"""Every figure a search depends on, in one frozen value that the run records."""

from dataclasses import dataclass, field
from enum import StrEnum

from zonas_edge.data.batches import batch_of
from zonas_edge.search.hypergradient import Estimator, HybridEstimator, PaperEstimator
from zonas_edge.search.schedule import Schedule
from zonas_edge.search.weights import WeightSettings

_LARGEST_BATCH = 64


class EstimatorName(StrEnum):
    """The estimators of the hypergradient by name."""

    HYBRID = "hybrid"
    PAPER = "paper"


@dataclass(frozen=True)
class SearchSettings:
    """What a search does, apart from its data, space and budget.

    Args:
        estimator: name of the hypergradient estimator; ``paper`` also means the
            published penalty and float64, since its radius is below the rounding of
            float32.
        epochs: passes over the half of the train split that trains the weights, >= 1.
        batch_size: images a step, of both halves.
        seed: of everything random.
        flip: mirrored images keep their class.
        inner_steps: training steps of the weights for each step of alpha.
        schedule: temperature, size phase, learning rate of the weights.
        weights: optimiser of the weights.
        alpha_rate: learning rate of alpha (Adam).
        alpha_betas: moments of that Adam.
        alpha_decay: L2 on alpha inside that Adam.
        patience: fraction of the epochs for which no decision may change.
        settling: fraction of the epochs after the start of the size phase before which
            the search doesn't stop.
        confidence: mean of the rows' largest probabilities at which it may stop.
    """

    estimator: EstimatorName
    epochs: int
    batch_size: int
    seed: int
    flip: bool
    inner_steps: int = 10
    schedule: Schedule = field(default_factory=Schedule)
    weights: WeightSettings = field(default_factory=WeightSettings)
    alpha_rate: float = 0.01
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 0.0
    patience: float = 0.1
    settling: float = 0.2
    confidence: float = 0.9

    @classmethod
    def of(
        cls,
        estimator: EstimatorName,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        flip: bool,
    ) -> "SearchSettings":
        """The settings that belong to an estimator (sections 4.4 and 13)."""
        if estimator is EstimatorName.PAPER:
            return cls(
                estimator,
                epochs,
                batch_size,
                seed,
                flip,
                schedule=Schedule(rate=0.1),
                alpha_rate=0.015,
                alpha_decay=1e-3,
            )
        return cls(estimator, epochs, batch_size, seed, flip)

    def hypergradient(self) -> Estimator:
        """The estimator itself."""
        if self.estimator is EstimatorName.PAPER:
            return PaperEstimator()
        return HybridEstimator()


def default_batch(images: int, published: int | None) -> int:
    """Batch size of the search.

    Args:
        images: in the half that trains the weights.
        published: the set's published batch size, if it has one.

    Returns:
        The published one, else the largest power of two up to 64 that gives at least 16
        steps an epoch; never more than the images.
    """
    if published is not None:
        return min(published, images)
    return batch_of(images, largest=_LARGEST_BATCH)
