"""What rows say together: a summary a group, differences of methods, fronts.

Everything here follows from the rows alone, so that rows that were committed, or those
of several data sets together, give the same tables as the comparison that made them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Literal, TypeVar, get_args

from zonas_edge.compare.front import Point, Rectangle, hypervolume, pareto
from zonas_edge.compare.row import Row
from zonas_edge.compare.statistics import Difference, Summary, difference, summarise

Figure = Literal[
    "accuracy",
    "auc",
    "accuracy_max_over_test_epochs",
    "val_accuracy",
    "parameters",
    "macs",
    "search_seconds",
    "retrain_seconds",
    "latency_undisturbed_ms",
]
FIGURES: tuple[Figure, ...] = get_args(Figure)
COMPARED: tuple[Figure, ...] = (
    "accuracy",
    "auc",
    "parameters",
    "latency_undisturbed_ms",
)
"""Figures whose differences between methods are told."""

Cost = Literal["parameters", "latency_undisturbed_ms"]
COSTS: tuple[Cost, ...] = get_args(Cost)

Volume = Literal["hypervolume_by_parameters", "hypervolume_by_latency"]
VOLUMES: dict[Cost, Volume] = {
    "parameters": "hypervolume_by_parameters",
    "latency_undisturbed_ms": "hypervolume_by_latency",
}
"""What is told of a front against each cost."""

_Item = TypeVar("_Item")
_Pairs = list[tuple[float, float]]


@dataclass(frozen=True)
class Group:
    """Networks that differ by their seed alone."""

    dataset: str
    profile: str
    budget: int
    method: str


@dataclass(frozen=True)
class Finding:
    """One figure of a group."""

    group: Group
    figure: Figure
    summary: Summary


@dataclass(frozen=True)
class Contrast:
    """A method against the reference, over pairs of data set and seed.

    Args:
        datasets: of the pairs.
        pooled: True of all that both methods have; False of one among several.
        method: minus the ``reference``.
        reference: the method that the others are compared with.
        figure: of which the difference is taken; a hypervolume is that of one seed's
            networks, in the rectangle around those of both methods on the data set.
        difference: of the method minus the reference.
    """

    datasets: tuple[str, ...]
    pooled: bool
    method: str
    reference: str
    figure: Figure | Volume
    difference: Difference


@dataclass(frozen=True)
class Front:
    """Accuracy against a cost: what a method offers a device.

    Args:
        dataset: of the networks.
        cost: that accuracy is set against.
        method: of the networks.
        count: networks; of the budgets and seeds that every method has, since more
            networks reach further by chance alone.
        points: not dominated by another of the same method.
        hypervolume: of these points, in the rectangle around the networks of all
            methods that are inside their budgets; what is larger dominates nothing.
        volumes: those of the networks of each seed, in the same rectangle.
    """

    dataset: str
    cost: Cost
    method: str
    count: int
    points: tuple[Point, ...]
    hypervolume: float | None
    volumes: tuple[tuple[int, float], ...]

    @property
    def by_seed(self) -> Summary | None:
        """The hypervolumes of the seeds together; None where there is none."""
        found = [volume for _, volume in self.volumes]
        return summarise(found) if found else None


def findings(rows: Sequence[Row]) -> tuple[Finding, ...]:
    """Every figure of every group, in the rows' order; what no row has is left out."""
    groups: dict[Group, list[Row]] = defaultdict(list)
    for row in rows:
        groups[Group(row.dataset, row.profile, row.budget, row.method)].append(row)
    return tuple(
        Finding(group, figure, summarise(values))
        for group, members in groups.items()
        for figure in FIGURES
        if (values := values_of(members, figure))
    )


def values_of(rows: Sequence[Row], figure: Figure) -> list[float]:
    """A figure of every row that has it."""
    found = (getattr(row, figure) for row in rows)
    return [float(value) for value in found if value is not None]


def contrasts(rows: Sequence[Row], reference: str) -> tuple[Contrast, ...]:
    """Each other method against the reference, pooled, and where several, by data set.

    Networks are set against each other under the same data set, profile (with its
    budget) and seed; what has no partner is left out. Their figures are averaged over
    the profiles before anything is told of them: one seed may well be one and the same
    network under two budgets, and would otherwise count twice. A front is that of one
    seed's networks under all profiles anyway.
    """
    found = []
    for method in _distinct(row.method for row in rows):
        sets = [] if method == reference else _in_common(rows, method, reference)
        scopes = [tuple(sets)] + ([(name,) for name in sets] if len(sets) > 1 else [])
        for figure, pairs_of in _COMPARISONS.items():
            for scope in scopes:
                own = [row for row in rows if row.dataset in scope]
                if pairs := pairs_of(own, method, reference):
                    found.append(
                        Contrast(
                            datasets=scope,
                            pooled=scope == scopes[0],
                            method=method,
                            reference=reference,
                            figure=figure,
                            difference=difference(pairs),
                        )
                    )
    return tuple(found)


def _in_common(rows: Sequence[Row], method: str, reference: str) -> list[str]:
    """Data sets on which there are networks of both."""
    ours, theirs = (
        _distinct(row.dataset for row in rows if row.method == name)
        for name in (method, reference)
    )
    return [name for name in ours if name in theirs]


def _pairs(figure: Figure, rows: Sequence[Row], method: str, reference: str) -> _Pairs:
    """A figure of both methods' networks, a pair a data set and seed."""
    sides: tuple[dict[tuple[str, str, int], float], ...] = tuple(
        {
            (row.dataset, row.profile, row.seed): float(value)
            for row in rows
            if row.method == name and (value := getattr(row, figure)) is not None
        }
        for name in (method, reference)
    )
    first, second = sides
    met: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for key in first:
        if key in second:
            dataset, _, seed = key
            met[dataset, seed].append((first[key], second[key]))
    return [
        (fmean(ours for ours, _ in own), fmean(theirs for _, theirs in own))
        for own in met.values()
    ]


def _volume_pairs(
    cost: Cost, rows: Sequence[Row], method: str, reference: str
) -> _Pairs:
    """Hypervolumes of both methods' networks, a pair a data set and seed."""
    volumes = {
        (front.dataset, front.method): dict(front.volumes)
        for front in fronts([row for row in rows if row.method in {method, reference}])
        if front.cost == cost
    }
    return [
        (volume, theirs[seed])
        for (dataset, name), ours in volumes.items()
        if name == method and (theirs := volumes.get((dataset, reference)))
        for seed, volume in ours.items()
    ]


_COMPARISONS: dict[Figure | Volume, Callable[[Sequence[Row], str, str], _Pairs]] = {
    **{figure: partial(_pairs, figure) for figure in COMPARED},
    **{VOLUMES[cost]: partial(_volume_pairs, cost) for cost in COSTS},
}
"""What methods are compared by, and how its pairs are found."""


def fronts(rows: Sequence[Row]) -> tuple[Front, ...]:
    """The front of every method on every data set, by parameters and by latency.

    Methods that have no budget and seed in common have none.
    """
    found = []
    for dataset in _distinct(row.dataset for row in rows):
        of_dataset = [row for row in rows if row.dataset == dataset]
        for cost in COSTS:
            known = [row for row in of_dataset if getattr(row, cost) is not None]
            own = _shared(known)
            inside = [row for row in own if row.inside]
            rectangle = Rectangle.around(points_of(inside, cost)) if inside else None
            for method in _distinct(row.method for row in own):
                mine = [row for row in own if row.method == method]
                found.append(_front(dataset, cost, method, mine, rectangle))
    return tuple(found)


def _shared(rows: Sequence[Row]) -> list[Row]:
    """Of one data set's networks those of budgets and seeds that every method has."""
    cells: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for row in rows:
        cells[row.method].add((row.profile, row.seed))
    common = set.intersection(*cells.values()) if cells else set()
    return [row for row in rows if (row.profile, row.seed) in common]


def _front(
    dataset: str,
    cost: Cost,
    method: str,
    rows: Sequence[Row],
    rectangle: Rectangle | None,
) -> Front:
    points = points_of(rows, cost)

    def volume(seed: int) -> float | None:
        own = points_of([row for row in rows if row.seed == seed], cost)
        return None if rectangle is None else hypervolume(own, rectangle)

    seeds = _distinct(row.seed for row in rows)
    return Front(
        dataset=dataset,
        cost=cost,
        method=method,
        count=len(points),
        points=pareto(points),
        hypervolume=None if rectangle is None else hypervolume(points, rectangle),
        volumes=tuple(
            (seed, found) for seed in seeds if (found := volume(seed)) is not None
        ),
    )


def points_of(rows: Sequence[Row], cost: Cost) -> list[Point]:
    """Cost and test accuracy of each network."""
    return [(float(getattr(row, cost)), row.accuracy) for row in rows]


def _distinct(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))
