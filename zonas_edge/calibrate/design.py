"""Which networks to measure, so that the cost of every candidate can be told.

Lone operators say little, since ONNX Runtime fuses neighbours; so whole networks of the
space are measured. Half of them are chosen greedily from random ones so that together
they determine the unknowns best (D-optimal: each choice multiplies the determinant of
the information matrix by the most). The other half stay as they were drawn: they keep
the fit honest about networks as the search draws them. Both together predicted unseen
networks better than either alone (benchmarks/LOG.md).

Source: D-optimal design by forward selection (Fedorov, 1972).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zonas_edge.architecture import Architecture, Mixture, one_hot
from zonas_edge.cost import CostTable, expected
from zonas_edge.latency import LatencyModel
from zonas_edge.search.selection import draw
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, Op, SearchSpace

POOL = 8
"""Random networks that stand for choice, for each that is chosen."""
SPARSE = (0.2, 0.8)
"""Share of edges without a candidate in the sparse half of the networks."""
_PRIOR = 1e4
"""Variance of an unknown before anything is measured, relative to the estimate."""

_Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Networks to measure, simplified and all different.

    Args:
        fitted: the fit is made from them.
        held_out: drawn with every decision equally likely; they check the fit.
    """

    fitted: tuple[Architecture, ...]
    held_out: tuple[Architecture, ...]


def plan(
    space: SearchSpace,
    estimate: LatencyModel,
    *,
    networks: int,
    rng: np.random.Generator,
) -> Plan:
    """Choose the networks to measure.

    Args:
        space: of the search.
        estimate: any model; it weighs networks so that relative errors count alike.
        networks: how many, a fifth of which is held out.
        rng: decides.
    """
    held_out = random_networks(space, networks // 5, rng)
    chosen = networks - len(held_out)
    pool = random_networks(space, chosen * POOL, rng, but=held_out, sparse=True)
    designed = _most_telling(pool, estimate, chosen // 2)
    drawn = random_networks(
        space,
        chosen - len(designed),
        rng,
        but={*held_out, *designed},
        sparse=True,
    )
    return Plan(fitted=(*designed, *drawn), held_out=tuple(held_out))


def random_networks(
    space: SearchSpace,
    count: int,
    rng: np.random.Generator,
    *,
    but: Collection[Architecture] = (),
    sparse: bool = False,
) -> tuple[Architecture, ...]:
    """Different connected networks of a space, simplified; fewer in a tiny space.

    Args:
        space: of the search.
        count: how many.
        rng: decides.
        but: none of these.
        sparse: every second one with fewer edges than chance would give it.
    """
    known, found = set(but), list[Architecture]()
    for number, network in enumerate(_draws(space, rng, sparse=sparse)):
        if len(found) == count or number > 50 * (count + len(known)):
            break
        simple = network.simplified()
        if network.connected and simple not in known:
            known.add(simple)
            found.append(simple)
    return tuple(found)


def _draws(
    space: SearchSpace, rng: np.random.Generator, *, sparse: bool
) -> Iterator[Architecture]:
    """Draws without end; every decision equally likely, but for the sparse ones."""
    number = 0
    while True:
        number += 1
        none = 1 / len(OPS)
        if sparse and number % 2:
            none = rng.uniform(*SPARSE)
        row = np.full(len(OPS), (1 - none) / (len(OPS) - 1))
        row[OPS.index(Op.NONE)] = none
        mixture = Mixture(
            op=np.tile(row, (STAGES, len(EDGES), 1)),
            kernel=np.full((STAGES, len(EDGES), len(KERNELS)), 1 / len(KERNELS)),
            depth=np.full((STAGES, space.max_depth), 1 / space.max_depth),
        )
        yield from draw(mixture, 1, channels=space.channels, rng=rng)


def _most_telling(
    pool: Sequence[Architecture], estimate: LatencyModel, count: int
) -> list[Architecture]:
    """The networks whose measurement would tell most, one after the other."""
    rows = np.array([row_of(network) / estimate.p50_ms(network) for network in pool])
    covariance = np.eye(UNKNOWNS) * _PRIOR
    left, chosen = list(range(len(pool))), list[Architecture]()
    while left and len(chosen) < count:
        spread = np.einsum("ij,jk,ik->i", rows[left], covariance, rows[left])
        best = left.pop(int(spread.argmax()))
        chosen.append(pool[best])
        moved = covariance @ rows[best]
        covariance -= np.outer(moved, moved) / (1 + rows[best] @ moved)
    return chosen


# -- the unknowns ----------------------------------------------------------------

CANDIDATES: tuple[Op, ...] = tuple(op for op in OPS if op not in {Op.NONE, Op.CONV})
"""Operations with a time of their own; a convolution's is that of its kernel."""
UNKNOWNS = 1 + STAGES * (len(CANDIDATES) + len(KERNELS))


def table_of(times: _Vector) -> CostTable:
    """The cost table with the given times: fixed, then by stage operations, kernels."""
    return CostTable(*_arranged(times.tolist(), 0.0))


def row_of(architecture: Architecture) -> _Vector:
    """How often each unknown counts in a network: the cost formula on unit vectors."""
    depth = max(stage.depth for stage in architecture.stages)
    units = np.eye(UNKNOWNS)
    basis: Any = CostTable(*_arranged(list(units), np.zeros(UNKNOWNS)))
    row: _Vector = expected(basis, one_hot(architecture, depth))
    return row


def _arranged(times: Sequence[Any], nothing: Any) -> tuple[Any, Any, Any]:
    """Fixed part, operations and kernels of a table, from a flat sequence."""
    rest = iter(times[1:])
    operation, kernel = [], []
    for _ in range(STAGES):
        own: dict[Op, Any] = {op: next(rest) for op in CANDIDATES}
        operation.append(tuple(own.get(op, nothing) for op in OPS))
        kernel.append(tuple(next(rest) for _ in KERNELS))
    return times[0], tuple(operation), tuple(kernel)
