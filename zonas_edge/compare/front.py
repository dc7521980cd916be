"""What a device wants: the same accuracy from a smaller network.

A network dominates another if it is at least as good in both respects and better in
one; on the front are those that none dominates. The hypervolume is the share of a
rectangle that a front dominates, one figure for the whole of it: it means something
only beside another one of the same rectangle, and where that ends decides how much
accuracy counts against cost. The coverage sets two methods against each other without
one.

Source: Zitzler & Thiele (1999) for the hypervolume and for the coverage of two sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
"""Cost (smaller is better) and accuracy (larger is better)."""


@dataclass(frozen=True)
class Rectangle:
    """Where hypervolumes are taken.

    Args:
        cheapest: smallest cost of all networks that are compared.
        dearest: largest cost.
        worst: smallest accuracy.
        best: largest accuracy.
    """

    cheapest: float
    dearest: float
    worst: float
    best: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> "Rectangle":
        """The smallest one that holds every network.

        Raises:
            ValueError: there is no point.
        """
        costs = [cost for cost, _ in points]
        accuracies = [accuracy for _, accuracy in points]
        return cls(min(costs), max(costs), min(accuracies), max(accuracies))


def dominates(one: Point, other: Point) -> bool:
    """At least as good in both respects, and better in one."""
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def coverage(ours: Sequence[Point], theirs: Sequence[Point]) -> float:
    """Share of their points that one of ours dominates, from 0 to 1.

    Raises:
        ValueError: they have none.
    """
    if not theirs:
        raise ValueError("no point that could be dominated")
    beaten = sum(any(dominates(one, other) for one in ours) for other in theirs)
    return beaten / len(theirs)


def pareto(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other dominates, by rising cost, each once."""
    front: list[Point] = []
    for cost, accuracy in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((cost, accuracy))
    return tuple(front)


def hypervolume(points: Sequence[Point], rectangle: Rectangle) -> float | None:
    """Share of the rectangle that the points dominate, from 0 to 1.

    Args:
        points: those dearer than the rectangle or worse dominate nothing of it.
        rectangle: the same for all that is compared.

    Returns:
        None if the rectangle has no area.
    """
    width = rectangle.dearest - rectangle.cheapest
    height = rectangle.best - rectangle.worst
    if not (width > 0 and height > 0):
        return None
    front = pareto(
        [
            (max(cost, rectangle.cheapest), min(accuracy, rectangle.best))
            for cost, accuracy in points
            if cost <= rectangle.dearest and accuracy >= rectangle.worst
        ]
    )
    if not front:
        return 0.0
    ends = [cost for cost, _ in front[1:]] + [rectangle.dearest]
    area = sum(
        (end - cost) * (accuracy - rectangle.worst)
        for (cost, accuracy), end in zip(front, ends, strict=True)
    )
    return area / (width * height)
