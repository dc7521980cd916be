"""The architecture: what it refuses, what simplifying keeps, how it travels."""

import json
import math
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given

from tests.strategies import (
    SPACE,
    architectures,
    certain,
    mixtures,
    stage_of,
    stages,
    uniform,
)
from zonas_edge.architecture import (
    Architecture,
    Probabilities,
    Stage,
    derive,
    largest,
    log_probability,
    smallest,
)
from zonas_edge.space import EDGES, KERNELS, NODES, OPS, Op, SearchSpace

SKIP = (Op.SKIP, None)
NONE = (Op.NONE, None)

EXAMPLE = Architecture(
    channels=16,
    stages=(
        stage_of(
            (
                (Op.CONV, 7),
                (Op.CONV, 5),
                NONE,
                SKIP,
                (Op.CONV_1X1, None),
                (Op.CONV, 3),
            ),
            depth=2,
        ),
        stage_of((NONE, NONE, NONE, (Op.AVG_POOL, None), NONE, NONE), depth=1),
        stage_of((SKIP, NONE, SKIP, NONE, NONE, (Op.CONV, 3)), depth=3),
    ),
)


def paths(stage: Stage) -> set[tuple[int, int]]:
    """Edges on a path of live edges from the first to the last node, by trying all."""
    live = {
        edge
        for edge, op in zip(EDGES, stage.operations, strict=True)
        if op is not Op.NONE
    }
    between = range(1, NODES - 1)
    found = set()
    for count in range(len(between) + 1):
        for middle in combinations(between, count):
            nodes = (0, *middle, NODES - 1)
            edges = set(pairwise(nodes))
            if edges <= live:
                found |= edges
    return found


@given(architectures())
def test_an_architecture_makes_the_round_trip_through_json(
    architecture: Architecture,
) -> None:
    text = json.dumps(architecture.to_json())
    assert Architecture.from_json(json.loads(text)) == architecture


def test_the_json_of_an_architecture_is_the_golden_one(
    golden: Callable[[str, str], None],
) -> None:
    text = json.dumps(EXAMPLE.to_json(), indent=1) + "\n"
    golden("architecture.json", text)
    assert Architecture.from_json(json.loads(text)) == EXAMPLE


@given(stages(max_depth=2))
def test_simplifying_keeps_exactly_the_edges_on_paths(stage: Stage) -> None:
    kept = paths(stage)
    for edge, op, kernel, before, side in zip(
        EDGES,
        stage.simplified().operations,
        stage.simplified().kernels,
        stage.operations,
        stage.kernels,
        strict=True,
    ):
        assert (op, kernel) == ((before, side) if edge in kept else NONE)
    assert stage.connected == bool(kept)
    assert stage.simplified().depth == stage.depth


@given(architectures())
def test_simplifying_twice_changes_nothing_more(architecture: Architecture) -> None:
    once = architecture.simplified()
    assert once.simplified() == once
    assert once.connected == architecture.connected


def test_one_stage_without_a_path_disconnects_the_network() -> None:
    dead = stage_of((SKIP, NONE, SKIP, NONE, NONE, NONE))
    stages = (EXAMPLE.stages[0], dead, EXAMPLE.stages[2])
    assert EXAMPLE.connected
    assert not Architecture(channels=16, stages=stages).connected


def test_a_tie_goes_to_the_first_candidate() -> None:
    found = derive(uniform(SPACE), channels=2)
    assert all(set(stage.operations) == {OPS[0]} for stage in found.stages)
    assert [stage.depth for stage in found.stages] == [1, 1, 1]


def test_a_tie_of_kernels_goes_to_the_largest() -> None:
    mixture = uniform(SPACE)
    mixture.op[..., OPS.index(Op.CONV)] = 1
    found = derive(mixture, channels=2)
    assert all(set(stage.kernels) == {KERNELS[0]} for stage in found.stages)


@given(mixtures())
def test_every_derived_architecture_belongs_to_its_space(
    mixture: Probabilities,
) -> None:
    assert derive(mixture, channels=SPACE.channels).belongs_to(SPACE)


@given(architectures())
def test_deriving_undoes_the_one_hot_mixture(architecture: Architecture) -> None:
    mixture = certain(architecture, SPACE.max_depth)
    assert derive(mixture, channels=SPACE.channels) == architecture
    assert log_probability(architecture, mixture) == 0


def test_the_log_probability_is_the_sum_over_the_decisions() -> None:
    # 3 depths of 3; 18 operations of 5; 5 convolutions' kernels of 3
    found = log_probability(EXAMPLE, uniform(SearchSpace()))
    count = sum(k is not None for stage in EXAMPLE.stages for k in stage.kernels)
    expected = -(3 + count) * math.log(3) - 18 * math.log(5)
    assert found == pytest.approx(expected)


def test_a_decision_outside_the_support_counts_as_the_floor() -> None:
    mixture = certain(smallest(SPACE), SPACE.max_depth)
    deeper = Architecture(
        channels=2,
        stages=(stage_of((NONE, NONE, NONE, SKIP, NONE, NONE), 2),) * 3,
    )
    found = log_probability(deeper, mixture)
    assert found == pytest.approx(3 * math.log(1e-6))


def test_an_architecture_of_other_width_or_depth_belongs_to_another_space() -> None:
    assert EXAMPLE.belongs_to(SearchSpace(channels=16, max_depth=3))
    assert not EXAMPLE.belongs_to(SearchSpace(channels=16, max_depth=2))
    assert not EXAMPLE.belongs_to(SearchSpace(channels=8, max_depth=3))


def test_the_extremes_belong_to_their_space_and_are_simplified() -> None:
    for found in (smallest(SPACE), largest(SPACE)):
        assert found.belongs_to(SPACE)
        assert found.connected
        assert found.simplified() == found


def test_the_summary_names_the_live_edges() -> None:
    assert EXAMPLE.summary() == (
        "stage 1: 2 cells of 0>1 7x7, 0>2 5x5, 0>3 skip, 1>3 conv_1x1, 2>3 3x3\n"
        "stage 2: 1 cell of 0>3 avg_pool\n"
        "stage 3: 3 cells of 0>1 skip, 1>2 skip, 2>3 3x3"
    )


def changed(path: tuple[str | int, ...], value: Any) -> Any:
    """The example's JSON with one value replaced."""
    data: Any = EXAMPLE.to_json()
    target = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "no architecture: 'NoneType' object is not subscriptable"),
        ({}, "no architecture: 'schema'"),
        ({"schema": 1}, "no architecture: 'stages'"),
        (changed(("schema",), 2), "schema is 2, not 1"),
        (changed(("stages",), []), "0 stages, not 3"),
        (changed(("stages", 0, "depth"), 0), "depth is 0, below 1"),
        (
            changed(("stages", 0, "depth"), math.inf),
            "no architecture: cannot convert float infinity to integer",
        ),
        (changed(("stages", 0, "edges"), []), "edges are not those of a cell"),
        (
            changed(("stages", 0, "edges", 0, "from"), 1),
            "edges are not those of a cell",
        ),
        (changed(("stages", 0, "edges", 0, "op"), "gru"), "'gru' is not a valid Op"),
        (changed(("stages", 0, "edges", 0, "kernel"), 4), "conv with kernel 4"),
        (changed(("stages", 0, "edges", 3, "kernel"), 3), "skip with kernel 3"),
    ],
)
def test_what_is_no_architecture_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is below
        Architecture.from_json(data)
    assert str(caught.value) == message


def test_a_stage_has_one_candidate_for_each_edge() -> None:
    with pytest.raises(ValueError, match=r"^a stage has 6 edges$"):
        Stage(operations=(Op.SKIP,), kernels=(None,), depth=1)


def test_an_architecture_is_a_value() -> None:
    again = Architecture.from_json(EXAMPLE.to_json())
    assert again == EXAMPLE
    assert hash(again) == hash(EXAMPLE)
