"""Hypothesis strategies: what a search space contains, and mixtures over it."""

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from zonas_edge.architecture import (
    Architecture,
    Mixture,
    Probabilities,
    Stage,
    one_hot,
)
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, Op, SearchSpace

SPACE = SearchSpace(channels=2, max_depth=2)
"""Small enough for a test, large enough to have every kind of decision."""

CANDIDATES: tuple[tuple[Op, int | None], ...] = (
    *((op, None) for op in OPS if op is not Op.CONV),
    *((Op.CONV, kernel) for kernel in KERNELS),
)


def stage_of(candidates: tuple[tuple[Op, int | None], ...], depth: int = 1) -> Stage:
    """A stage from one candidate for each edge."""
    operations, kernels = zip(*candidates, strict=True)
    return Stage(operations=operations, kernels=kernels, depth=depth)


def stages(max_depth: int) -> st.SearchStrategy[Stage]:
    return st.builds(
        stage_of,
        st.tuples(*[st.sampled_from(CANDIDATES)] * len(EDGES)),
        st.integers(1, max_depth),
    )


def architectures(
    space: SearchSpace = SPACE, *, connected: bool = False
) -> st.SearchStrategy[Architecture]:
    """Networks of a space, unsimplified."""
    found = st.builds(
        Architecture,
        channels=st.just(space.channels),
        stages=st.tuples(*[stages(space.max_depth)] * STAGES),
    )
    return found.filter(lambda drawn: drawn.connected) if connected else found


def random_mixture(seed: int, space: SearchSpace = SPACE) -> Probabilities:
    """Rows drawn uniformly from the simplex, about half of their entries then cut."""
    rng = np.random.default_rng(seed)

    def rows(*shape: int) -> NDArray[np.float64]:
        weights = rng.exponential(size=shape) * rng.integers(0, 2, size=shape)
        weights[..., rng.integers(shape[-1])] += 1e-3  # no row is empty
        found: NDArray[np.float64] = weights / weights.sum(-1, keepdims=True)
        return found

    return Mixture(
        op=rows(STAGES, len(EDGES), len(OPS)),
        kernel=rows(STAGES, len(EDGES), len(KERNELS)),
        depth=rows(STAGES, space.max_depth),
    )


def mixtures(space: SearchSpace = SPACE) -> st.SearchStrategy[Probabilities]:
    return st.integers(0, 2**32 - 1).map(lambda seed: random_mixture(seed, space))


def uniform(space: SearchSpace) -> Probabilities:
    """Every candidate of a decision equally probable."""
    ops, kernels = len(OPS), len(KERNELS)
    return Mixture(
        op=np.full((STAGES, len(EDGES), ops), 1 / ops),
        kernel=np.full((STAGES, len(EDGES), kernels), 1 / kernels),
        depth=np.full((STAGES, space.max_depth), 1 / space.max_depth),
    )


def certain(architecture: Architecture, max_depth: int) -> Probabilities:
    """The one-hot mixture in floating point."""
    mixture = one_hot(architecture, max_depth)
    return Mixture(
        op=mixture.op.astype(np.float64),
        kernel=mixture.kernel.astype(np.float64),
        depth=mixture.depth.astype(np.float64),
    )


def tensors(
    mixture: Probabilities,
    dtype: torch.dtype = torch.float64,
    *,
    gradient: bool = False,
) -> Mixture[torch.Tensor]:
    """The same probabilities as tensors."""
    return Mixture(
        *(
            torch.tensor(part, dtype=dtype, requires_grad=gradient)
            for part in (mixture.op, mixture.kernel, mixture.depth)
        )
    )
