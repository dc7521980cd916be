"""Which engine a method needs."""

import torch

from zonas_edge.search.hypergradient import HybridEstimator, PaperEstimator
from zonas_edge.search.method import EstimatorName
from zonas_edge.search.pair import Pair
from zonas_edge.search.settings import SearchSettings
from zonas_edge.search.single import Single
from zonas_edge.search.weights import WeightCopy
from zonas_edge.search.window import Engine
from zonas_edge.search.zeroth import ZerothOrder
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace, TaskSpec

_ZEROTH_ORDER = {
    EstimatorName.HYBRID: HybridEstimator,
    EstimatorName.PAPER: PaperEstimator,
}


def engine_of(
    space: SearchSpace,
    task: TaskSpec,
    settings: SearchSettings,
    *,
    generator: torch.Generator,
    device: torch.device,
) -> Engine:
    """The weights of a search, as its method wants them.

    Args:
        space: what the method decides.
        task: image shape and classes.
        settings: method, seed, optimiser of the weights.
        generator: draws directions.
        device: where the weights live.
    """
    estimator = settings.method.estimator
    seed = derived_seed(settings.seed, "weights")
    dtype = torch.float64 if settings.method.float64 else torch.float32
    if estimator in _ZEROTH_ORDER:
        pair = Pair(
            space, task, settings.weights, seed=seed, device=device, dtype=dtype
        )
        return ZerothOrder(pair, _ZEROTH_ORDER[estimator](), generator)
    copy = WeightCopy.drawn(
        space, task, settings.weights, seed=seed, device=device, dtype=dtype
    )
    return Single(copy, estimator)
