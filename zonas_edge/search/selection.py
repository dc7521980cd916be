"""From the final mixture to a few networks inside the budget, ranked.

The published code retrains three unranked draws, whatever their size. Here the draws
(and the most probable network) are simplified, those outside any limit are dropped, and
the rest are ranked by cross-entropy on the val split with the supernet's weights and
recalibrated statistics. If no draw fits, the most probable network is repaired.
Where there is nothing to prefer, uniform draws take the place of all that.

Source: Li & Talwalkar (arXiv:1902.07638) for the uniform draws.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.swa_utils import update_bn

from zonas_edge.architecture import (
    Architecture,
    Probabilities,
    architecture_of,
    derive,
)
from zonas_edge.constraint import Constraint, fits
from zonas_edge.data.batches import DeviceSplit, Normalisation, epoch_order
from zonas_edge.errors import BudgetError
from zonas_edge.nn.evaluate import comparable, evaluate
from zonas_edge.nn.supernet import Supernet, inherit
from zonas_edge.search.method import Method
from zonas_edge.search.repair import repair
from zonas_edge.space import STAGES, SearchSpace

_UNIFORM_DRAWS = 50_000
_REPAIRS = 16
"""Draws that are tried beside the first one, where none fits."""


@dataclass(frozen=True)
class SelectionSettings:
    """How the final network is chosen.

    Args:
        draws: networks drawn from the final mixture, at most.
        ranked: at most so many distinct ones that fit are ranked, in order of drawing.
        probable: the most probable network goes before the draws.
        until_ranked: stop drawing once there are enough that fit.
        judged: False takes the first that fits as it is.
        calibration_batches: train batches for the running statistics of each.
        batch_size: of calibration and of ranking.
    """

    draws: int = 500
    ranked: int = 24
    probable: bool = True
    until_ranked: bool = False
    judged: bool = True
    calibration_batches: int = 10
    batch_size: int = 64

    @classmethod
    def of(cls, method: Method) -> "SelectionSettings":
        """The settings that belong to a method.

        One that decides nothing draws until as many fit as another may rank at most: a
        uniform draw is inside a tight budget once in a hundred times.
        """
        if method.decides:
            return cls()
        return cls(
            draws=_UNIFORM_DRAWS,
            ranked=cls.ranked if method.trained else 1,
            probable=False,
            until_ranked=True,
            judged=method.trained,
        )


@dataclass(frozen=True)
class Candidate:
    """A network inside the budget, with its val cross-entropy [nats] and accuracy.

    Both are None where weights were never trained that could tell them.
    """

    architecture: Architecture
    loss: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class Selection:
    """What the selection found. The candidates' trials decide among them.

    Args:
        ranking: networks inside the budget, best first by the supernet.
        drawn: networks drawn, the most probable one included.
        distinct: different ones among them that are connected.
        fitting: of these, those inside the budget.
        repaired: True if none was, and the most probable one, or another draw where
            that leads nowhere, was shrunk or grown.
    """

    ranking: tuple[Candidate, ...]
    drawn: int
    distinct: int
    fitting: int
    repaired: bool

    @property
    def best(self) -> Candidate:
        """The network that the ranking puts first."""
        return self.ranking[0]

    @property
    def ranked(self) -> int:
        """Networks that were compared."""
        return sum(candidate.loss is not None for candidate in self.ranking)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return {
            "drawn": self.drawn,
            "distinct": self.distinct,
            "fitting": self.fitting,
            "repaired": self.repaired,
            "ranking": [
                {
                    "architecture": each.architecture.to_json(),
                    "loss": each.loss,
                    "accuracy": each.accuracy,
                }
                for each in self.ranking
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Selection":
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: if the object is no selection.
        """
        try:
            ranking = tuple(
                Candidate(
                    Architecture.from_json(each["architecture"]),
                    each["loss"],
                    each["accuracy"],
                )
                for each in data["ranking"]
            )
            found = cls(
                ranking=ranking,
                drawn=int(data["drawn"]),
                distinct=int(data["distinct"]),
                fitting=int(data["fitting"]),
                repaired=bool(data["repaired"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no selection: {error}") from error
        if not ranking:
            raise ValueError("no selection: nothing in it")
        return found


def draw(
    mixture: Probabilities,
    count: int,
    *,
    channels: int,
    rng: np.random.Generator,
    tied: bool = False,
) -> Iterator[Architecture]:
    """Networks whose decisions are drawn independently; unsimplified.

    Args:
        mixture: probabilities.
        count: number of networks.
        channels: feature maps of the first stage.
        rng: decides.
        tied: one cell for all stages, as a space without sizes has it.
    """

    def columns(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        edges = np.cumsum(rows / rows.sum(-1, keepdims=True), axis=-1)
        point = rng.random(rows.shape[:-1])[..., None]
        # the last edge may round to just below 1
        column: npt.NDArray[np.int64] = np.minimum(
            (point >= edges).sum(-1), rows.shape[-1] - 1
        )
        return column

    def operations() -> npt.NDArray[np.int64]:
        if not tied:
            return columns(mixture.op)
        return columns(mixture.op[:1]).repeat(STAGES, axis=0)

    for _ in range(count):
        yield architecture_of(
            operations(),
            columns(mixture.kernel),
            columns(mixture.depth),
            channels=channels,
        )


@dataclass(frozen=True)
class _Drawn:
    """What became of the draws: how many, how many different ones, those inside.

    ``starts`` are the first draw, as it was, and some different ones.
    """

    starts: tuple[Architecture, ...]
    count: int
    distinct: int
    fitting: list[Architecture]


def _sift(
    drawn: Iterator[Architecture],
    constraints: Sequence[Constraint],
    *,
    enough: int | None,
) -> _Drawn:
    """Keep what is connected, different and inside the budget; stop at ``enough``."""
    first = next(drawn)
    count = 0
    seen: dict[Architecture, None] = {}  # in order
    fitting: list[Architecture] = []
    for found in chain([first], drawn):
        count += 1
        simple = found.simplified()
        if not found.connected or simple in seen:
            continue
        seen[simple] = None
        if fits(constraints, simple):
            fitting.append(simple)
        if len(fitting) == enough:
            break
    starts = (first, *islice(seen, _REPAIRS))
    return _Drawn(starts, count, len(seen), fitting)


def _repaired(
    starts: Sequence[Architecture],
    mixture: Probabilities,
    constraints: Sequence[Constraint],
    space: SearchSpace,
) -> Architecture:
    """The first that single changes bring inside; they may end beside a narrow budget.

    Raises:
        BudgetError: none of them; what the first one met.
    """
    refusals = []
    for start in starts:
        try:
            return repair(start, mixture, constraints, space)
        except BudgetError as error:
            refusals.append(error)
    raise refusals[0]


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
    """Choose the networks that come into question; the test split plays no part.

    Raises:
        BudgetError: if no network inside every limit was found.
    """
    space = supernet.space
    stream = draw(
        mixture,
        settings.draws,
        channels=space.channels,
        rng=rng,
        tied=not space.sizes,
    )
    probable = [derive(mixture, channels=space.channels)] if settings.probable else []
    drawn = _sift(
        chain(probable, stream),
        constraints,
        enough=settings.ranked if settings.until_ranked else None,
    )
    chosen = drawn.fitting or [_repaired(drawn.starts, mixture, constraints, space)]
    ranking = [Candidate(found) for found in chosen[: settings.ranked]]
    if settings.judged:
        order = epoch_order(len(train), _torch_generator(rng))
        parts = torch.split(order, settings.batch_size)[: settings.calibration_batches]
        # each batch counts the same, so that a few left over would count too much
        full = [part for part in parts if len(part) == len(parts[0])]
        calibration = [normalisation.apply(train.take(part).images) for part in full]

        def judged(candidate: Candidate) -> Candidate:
            network = inherit(supernet, candidate.architecture).float()
            update_bn(calibration, network)
            size = settings.batch_size
            loss, accuracy = evaluate(network, val, normalisation, size)
            return replace(candidate, loss=comparable(loss), accuracy=accuracy)

        ranking = sorted(map(judged, ranking), key=rank)
    return Selection(
        ranking=tuple(ranking),
        drawn=drawn.count,
        distinct=drawn.distinct,
        fitting=len(drawn.fitting),
        repaired=not drawn.fitting,
    )


def rank(candidate: Candidate) -> float:
    """What a ranking goes by: the loss, the worst of all where there is none."""
    return math.inf if candidate.loss is None else candidate.loss


def _torch_generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))
