"""From the final mixture to one network inside the budget.

The published code retrains three unranked draws, whatever their size. Here the draws
(and the most probable network) are simplified, those outside any limit are dropped, and
the rest are ranked by cross-entropy on the val split with the supernet's weights and
recalibrated statistics. If no draw fits, the most probable network is repaired.

Source: sections 7 and 13 of the design.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from zonas_edge.architecture import (
    Architecture,
    Probabilities,
    Stage,
    architecture_of,
    derive,
    log_probability,
    smallest,
)
from zonas_edge.constraint import Constraint, fits, number
from zonas_edge.data.batches import DeviceSplit, Normalisation, epoch_order
from zonas_edge.errors import BudgetError
from zonas_edge.nn.evaluate import evaluate
from zonas_edge.nn.network import recalibrate
from zonas_edge.nn.supernet import Supernet, inherit
from zonas_edge.space import KERNELS, Op, SearchSpace


@dataclass(frozen=True)
class SelectionSettings:
    """How the final network is chosen.

    Args:
        draws: networks drawn from the final mixture.
        ranked: at most so many distinct ones that fit are ranked, in order of drawing.
        calibration_batches: train batches for the running statistics of each.
        batch_size: of calibration and of ranking.
    """

    draws: int = 500
    ranked: int = 24
    calibration_batches: int = 10
    batch_size: int = 64


@dataclass(frozen=True)
class Candidate:
    """A network that was ranked: its val cross-entropy [nats] and accuracy."""

    architecture: Architecture
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Selection:
    """What the selection found.

    Args:
        ranking: networks inside the budget, best first.
        drawn: networks drawn, the most probable one included.
        distinct: different ones among them that are connected.
        fitting: of these, those inside the budget.
        repaired: True if none was, and the most probable one was shrunk or grown.
    """

    ranking: tuple[Candidate, ...]
    drawn: int
    distinct: int
    fitting: int
    repaired: bool

    @property
    def best(self) -> Candidate:
        """The chosen network."""
        return self.ranking[0]


def draw(
    mixture: Probabilities, count: int, *, channels: int, rng: np.random.Generator
) -> Iterator[Architecture]:
    """Networks whose decisions are drawn independently; unsimplified.

    Args:
        mixture: probabilities.
        count: number of networks.
        channels: feature maps of the first stage.
        rng: decides.
    """

    def columns(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        edges = np.cumsum(rows / rows.sum(-1, keepdims=True), axis=-1)
        point = rng.random(rows.shape[:-1])[..., None]
        # the last edge may round to just below 1
        column: npt.NDArray[np.int64] = np.minimum(
            (point >= edges).sum(-1), rows.shape[-1] - 1
        )
        return column

    for _ in range(count):
        yield architecture_of(
            columns(mixture.op),
            columns(mixture.kernel),
            columns(mixture.depth),
            channels=channels,
        )


def select(
    supernet: Supernet,
    mixture: Probabilities,
    constraints: Sequence[Constraint],
    *,
    train: DeviceSplit,
    val: DeviceSplit,
    normalisation: Normalisation,
    rng: np.random.Generator,
    settings: SelectionSettings,
) -> Selection:
    """Choose the network to retrain; the test split plays no part.

    Raises:
        BudgetError: if no network inside every limit was found.
    """
    channels = supernet.space.channels
    probable = derive(mixture, channels=channels)
    drawn = [
        probable,
        *draw(mixture, settings.draws, channels=channels, rng=rng),
    ]
    distinct = list(
        dict.fromkeys(found.simplified() for found in drawn if found.connected)
    )
    fitting = [found for found in distinct if fits(constraints, found)]
    repaired = not fitting
    chosen = fitting or [repair(probable, mixture, constraints, supernet.space)]
    order = epoch_order(len(train), _torch_generator(rng))
    calibration = [
        normalisation.apply(train.take(part).images)
        for part in torch.split(order, settings.batch_size)[
            : settings.calibration_batches
        ]
    ]
    ranking = []
    for architecture in chosen[: settings.ranked]:
        network = inherit(supernet, architecture).float()
        recalibrate(network, calibration)
        loss, accuracy = evaluate(network, val, normalisation, settings.batch_size)
        ranking.append(Candidate(architecture, loss, accuracy))
    ranking.sort(key=lambda candidate: candidate.loss)
    return Selection(
        ranking=tuple(ranking),
        drawn=len(drawn),
        distinct=len(distinct),
        fitting=len(fitting),
        repaired=repaired,
    )


def _torch_generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


# -- repair ---------------------------------------------------------------------


def repair(
    architecture: Architecture,
    mixture: Probabilities,
    constraints: Sequence[Constraint],
    space: SearchSpace,
) -> Architecture:
    """Move a network into the budget, losing the least probability for what it gains.

    One decision at a time (a kernel, an operation, a depth) is changed: the one with
    the smallest loss of log-probability per reduction of the relative excess.

    Args:
        architecture: usually the most probable one; a stage that is not connected is
            given an identity from input to output first.
        mixture: probabilities that price the changes.
        constraints: the budget.
        space: the changes stay inside it.

    Raises:
        BudgetError: if the changes end before every limit holds.
    """
    current = replace(
        architecture,
        stages=tuple(
            stage if stage.connected else _with_edge(stage, 3, Op.SKIP, None)
            for stage in architecture.stages
        ),
    )

    def excess(candidate: Architecture) -> float:
        simple = candidate.simplified()
        return sum(limit.excess(simple) for limit in constraints)

    def price(candidate: Architecture) -> float:
        lost = log_probability(current, mixture) - log_probability(candidate, mixture)
        # a change that loses nothing is best when it gains most
        return (max(lost, 0.0) + 1e-3) / (remaining - excess(candidate))

    while (remaining := excess(current)) > 0:
        better = [
            changed
            for changed in _changes(current, space)
            if changed.connected and excess(changed) < remaining
        ]
        if not better:
            raise _out_of_reach(current.simplified(), constraints)
        current = min(better, key=price)
    return current.simplified()


def _out_of_reach(
    architecture: Architecture, constraints: Sequence[Constraint]
) -> BudgetError:
    limit = max(constraints, key=lambda limit: limit.excess(architecture))
    value = limit.upper if limit.upper is not None else limit.lower or 0.0
    return BudgetError(
        f"search: no network found inside budget.{limit.name} = {number(value)},"
        f" the nearest has {number(limit.cost(architecture))}",
        f"widen budget.{limit.name}, or the limits that work against it",
    )


def _with_edge(stage: Stage, edge: int, op: Op, kernel: int | None) -> Stage:
    operations, kernels = list(stage.operations), list(stage.kernels)
    operations[edge], kernels[edge] = op, kernel
    return replace(stage, operations=tuple(operations), kernels=tuple(kernels))


def _changes(architecture: Architecture, space: SearchSpace) -> Iterator[Architecture]:
    """Every network that differs in one decision."""

    def changed(number: int, stage: Stage) -> Architecture:
        stages = list(architecture.stages)
        stages[number] = stage
        return replace(architecture, stages=tuple(stages))

    for number_, stage in enumerate(architecture.stages):
        # one identity instead of a path of several edges: no single change gets there
        bare = replace(smallest(space).stages[0], depth=stage.depth)
        yield changed(number_, bare)
        for depth in range(1, space.max_depth + 1):
            if depth != stage.depth:
                yield changed(number_, replace(stage, depth=depth))
        for edge, (op, kernel) in enumerate(
            zip(stage.operations, stage.kernels, strict=True)
        ):
            for other, side in _OPTIONS:
                if (other, side) != (op, kernel):
                    yield changed(number_, _with_edge(stage, edge, other, side))


_OPTIONS: tuple[tuple[Op, int | None], ...] = (
    *((op, None) for op in Op if op is not Op.CONV),
    *((Op.CONV, kernel) for kernel in KERNELS),
)
