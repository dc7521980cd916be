"""What rows say together: a summary a group, differences of methods, fronts.

Everything here follows from the rows alone, so that rows that were committed, or those
of several data sets together, give the same tables as the comparison that made them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Literal, TypeVar, get_args

from zonas_edge.compare.front import (
    Point,
    Rectangle,
    coverage,
    hypervolume,
    pareto,
)
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

Coverage = Literal["dominated_by_parameters", "dominated_by_latency"]
COVERAGES: Mapping[Coverage, Cost] = {
    "dominated_by_parameters": "parameters",
    "dominated_by_latency": "latency_undisturbed_ms",
}
"""Shares of the other's networks that a method dominates, and the costs of these."""

_Item = TypeVar("_Item")
_Pairs = dict[tuple[str, int], tuple[float, float]]
"""A method's figure and the reference's, by data set and seed."""


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
        pooled: True of all pairs that there are; False of one data set among several.
        method: minus the ``reference``.
        reference: the method that the others are compared with.
        figure: of which the difference is taken.
        difference: of the method minus the reference.
    """

    datasets: tuple[str, ...]
    pooled: bool
    method: str
    reference: str
    figure: Figure | Coverage
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
        hypervolume: of those inside their budgets, in the rectangle around such
            networks of all methods; by parameters it reaches to the largest budget.
        by_seed: of the networks of one seed, over the seeds; the same rectangle.
    """

    dataset: str
    cost: Cost
    method: str
    count: int
    points: tuple[Point, ...]
    hypervolume: float | None
    by_seed: Summary | None


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
    """Each other method against the reference: pooled and, of several, by data set.

    Networks are set against each other under the same data set, profile (with its
    budget) and seed; what has no partner is left out. A seed is one pair, whatever the
    number of its profiles: it may well be one and the same network under two budgets,
    which would otherwise count twice.
    """
    found = []
    for method in _distinct(row.method for row in rows):
        met = {} if method == reference else _met(rows, method, reference)
        for figure, pairs_of in _COMPARISONS.items():
            pairs = pairs_of(met)
            datasets = _distinct(dataset for dataset, _ in pairs)
            scopes = [tuple(datasets)] if datasets else []
            if len(datasets) > 1:
                scopes += [(dataset,) for dataset in datasets]
            found += [
                Contrast(
                    datasets=scope,
                    pooled=scope == scopes[0],
                    method=method,
                    reference=reference,
                    figure=figure,
                    difference=difference(
                        [pair for key, pair in pairs.items() if key[0] in scope]
                    ),
                )
                for scope in scopes
            ]
    return tuple(found)


_Met = Mapping[tuple[str, int], Sequence[tuple[Row, Row]]]
"""A method's networks and the reference's under the same profile, by set and seed."""


def _met(rows: Sequence[Row], method: str, reference: str) -> _Met:
    theirs = {
        (row.dataset, row.profile, row.seed): row
        for row in rows
        if row.method == reference
    }
    found: dict[tuple[str, int], list[tuple[Row, Row]]] = defaultdict(list)
    for row in rows:
        other = theirs.get((row.dataset, row.profile, row.seed))
        if row.method == method and other is not None:
            found[row.dataset, row.seed].append((row, other))
    return found


def _means(figure: Figure, met: _Met) -> _Pairs:
    """A figure's mean over the profiles under which both have it."""
    found = {}
    for key, both in met.items():
        known = [
            values
            for values in ((getattr(a, figure), getattr(b, figure)) for a, b in both)
            if None not in values
        ]
        if known:
            ours, theirs = zip(*known, strict=True)
            found[key] = (fmean(ours), fmean(theirs))
    return found


def _coverages(cost: Cost, met: _Met) -> _Pairs:
    """What share of the other's networks inside their budgets each dominates.

    No rectangle decides it, and no other seed's networks; those beyond a budget play no
    part.
    """
    found = {}
    for key, both in met.items():
        ours, theirs = (
            points_of(
                [row for row in side if row.inside and getattr(row, cost) is not None],
                cost,
            )
            for side in zip(*both, strict=True)
        )
        if ours and theirs:
            found[key] = (coverage(ours, theirs), coverage(theirs, ours))
    return found


_COMPARISONS: Mapping[Figure | Coverage, Callable[[_Met], _Pairs]] = {
    **{figure: partial(_means, figure) for figure in COMPARED},
    **{name: partial(_coverages, cost) for name, cost in COVERAGES.items()},
}
"""All that methods are compared by, and how its pairs come about."""


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
            rectangle = _rectangle(inside, cost) if inside else None
            for method in _distinct(row.method for row in own):
                mine = [row for row in own if row.method == method]
                found.append(_front(dataset, cost, method, mine, rectangle))
    return tuple(found)


def _rectangle(rows: Sequence[Row], cost: Cost) -> Rectangle:
    """Around networks; by parameters up to what the largest budget allows."""
    found = Rectangle.around(points_of(rows, cost))
    if cost != "parameters":
        return found
    return replace(found, dearest=float(max(row.budget for row in rows)))


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
    inside = [row for row in rows if row.inside]

    def volume(own: Sequence[Row]) -> float | None:
        if rectangle is None:
            return None
        return hypervolume(points_of(own, cost), rectangle)

    volumes = [
        volume([row for row in inside if row.seed == seed])
        for seed in _distinct(row.seed for row in rows)
    ]
    known = [found for found in volumes if found is not None]
    return Front(
        dataset=dataset,
        cost=cost,
        method=method,
        count=len(points),
        points=pareto(points),
        hypervolume=volume(inside),
        by_seed=summarise(known) if known else None,
    )


def points_of(rows: Sequence[Row], cost: Cost) -> list[Point]:
    """Cost and test accuracy of each network."""
    return [(float(getattr(row, cost)), row.accuracy) for row in rows]


def _distinct(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))
