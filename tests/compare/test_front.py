"""Fronts against their definition, hypervolumes against counted squares."""

from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.compare.front import (
    Point,
    Rectangle,
    coverage,
    dominates,
    hypervolume,
    pareto,
)

SIDE = 8
POINTS = st.lists(
    st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)), min_size=1, max_size=12
)


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points: list[Point]) -> None:
    undominated = {
        point for point in points if not any(dominates(one, point) for one in points)
    }
    assert set(pareto(points)) == undominated
    assert list(pareto(points)) == sorted(undominated)


@given(POINTS)
def test_the_hypervolume_is_the_share_of_dominated_squares(
    points: list[Point],
) -> None:
    """On a grid of whole numbers, a unit square is dominated by its upper left."""
    rectangle = Rectangle(0, SIDE, 0, SIDE)
    dominated = sum(
        any(cost <= column and accuracy >= row + 1 for cost, accuracy in points)
        for column in range(SIDE)
        for row in range(SIDE)
    )
    assert hypervolume(points, rectangle) == dominated / SIDE**2


def test_what_lies_outside_of_the_rectangle_dominates_nothing_of_it() -> None:
    rectangle = Rectangle(0, 10, 0.5, 1.0)
    assert hypervolume([(11.0, 1.0), (5.0, 0.4)], rectangle) == 0.0
    assert hypervolume([(11.0, 1.0), (5.0, 0.75)], rectangle) == 0.25


def test_one_network_dominates_another_that_is_worse_in_one_respect_alone() -> None:
    assert dominates((1.0, 0.9), (1.0, 0.8))
    assert dominates((1.0, 0.9), (2.0, 0.9))
    assert not dominates((1.0, 0.9), (1.0, 0.9))
    assert not dominates((1.0, 0.8), (2.0, 0.9))


@given(POINTS, POINTS)
def test_what_is_covered_is_not_on_the_front_of_both_together(
    ours: list[Point], theirs: list[Point]
) -> None:
    front = set(pareto([*ours, *theirs]))
    inside = {point for point in theirs if point not in pareto(theirs)}
    beaten = sum(
        point not in front for point in theirs if point not in inside
    )  # on the front of their own, so that it was one of ours
    dominated = coverage(ours, theirs) * len(theirs)
    assert beaten <= round(dominated) <= beaten + sum(p in inside for p in theirs)
    assert coverage(ours, ours) * len(ours) == sum(p not in pareto(ours) for p in ours)


def test_one_network_alone_spans_no_rectangle() -> None:
    points = [(1000.0, 0.9)]
    assert hypervolume(points, Rectangle.around(points)) is None


def test_the_rectangle_holds_every_network() -> None:
    points = [(3.0, 0.7), (1.0, 0.6), (2.0, 0.9)]
    assert Rectangle.around(points) == Rectangle(1.0, 3.0, 0.6, 0.9)
    assert hypervolume([(1.0, 0.9)], Rectangle.around(points)) == 1.0
