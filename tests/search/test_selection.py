"""From a mixture to one network inside the budget."""

import json
import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.search.toys import TASK, data_of, limit
from tests.strategies import SPACE, certain, mixtures, random_mixture, stage_of, uniform
from zonas_edge.architecture import (
    Architecture,
    Probabilities,
    derive,
    largest,
    smallest,
)
from zonas_edge.constraint import Constraint, fits
from zonas_edge.cost import byte_table, exact, expected, parameter_table, parameters
from zonas_edge.errors import BudgetError
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search import selection
from zonas_edge.search.repair import repair
from zonas_edge.search.selection import (
    Candidate,
    Selection,
    SelectionSettings,
    draw,
    rank,
    select,
)
from zonas_edge.space import OPS, Op

TABLE = parameter_table(SPACE, TASK)
LOW, HIGH = (parameters(found, TASK) for found in (smallest(SPACE), largest(SPACE)))


def select_from(
    mixture: Probabilities, constraints: list[Constraint], seed: int = 0
) -> Selection:
    data = data_of(32)
    return select(
        Supernet(SPACE, TASK, torch.Generator().manual_seed(0)),
        mixture,
        constraints,
        train=data.weights,
        val=data.alphas,
        normalisation=data.normalisation,
        rng=np.random.default_rng(seed),
        settings=SelectionSettings(
            draws=30, ranked=4, calibration_batches=2, batch_size=16
        ),
    )


def test_candidates_are_drawn_as_often_as_they_are_probable() -> None:
    mixture, count = random_mixture(3), 2000
    rng = np.random.default_rng(0)
    networks = list(draw(mixture, count, channels=2, rng=rng))
    for s in range(3):
        for e in range(6):
            seen = [OPS.index(found.stages[s].operations[e]) for found in networks]
            share = np.bincount(seen, minlength=len(OPS)) / count
            # five standard errors
            assert share == pytest.approx(mixture.op[s, e], abs=0.056)
            assert (share[mixture.op[s, e] == 0] == 0).all()
        depths = np.bincount([found.stages[s].depth for found in networks])[1:]
        assert depths[0] / count == pytest.approx(mixture.depth[s, 0], abs=0.056)


def test_the_mean_count_of_drawn_networks_is_the_expected_one() -> None:
    mixture = uniform(SPACE)
    rng = np.random.default_rng(0)
    counts = [
        parameters(found, TASK) for found in draw(mixture, 2000, channels=2, rng=rng)
    ]
    fixed = TABLE.fixed
    assert np.mean(counts) - fixed == pytest.approx(
        expected(TABLE, mixture) - fixed, rel=0.05
    )


def test_the_ranking_is_sorted_and_inside_the_budget() -> None:
    limits = [limit((LOW + HIGH) // 4, SPACE)]
    found = select_from(uniform(SPACE), limits)
    losses = [candidate.loss or 0.0 for candidate in found.ranking]
    assert losses == sorted(losses)
    assert found.best == found.ranking[0]
    assert found.drawn == 31
    assert 1 <= len(found.ranking) <= 4
    assert len(found.ranking) == min(4, found.fitting) <= found.distinct <= 31
    assert not found.repaired
    for candidate in found.ranking:
        architecture = candidate.architecture
        assert fits(limits, architecture)
        assert architecture.connected
        assert architecture.simplified() == architecture
        assert architecture.belongs_to(SPACE)
        assert candidate.accuracy is not None
        assert 0 <= candidate.accuracy <= 1
    assert len({candidate.architecture for candidate in found.ranking}) == len(losses)


def test_a_network_without_a_loss_ranks_last() -> None:
    network = smallest(SPACE)
    losses = (0.5, None, 0.3)
    ranked = sorted((Candidate(network, loss) for loss in losses), key=rank)
    assert [found.loss for found in ranked] == [0.3, 0.5, None]


def test_candidates_are_judged_by_statistics_of_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[int] = set()

    def evaluate(network: nn.Module, *_: object) -> tuple[float, float]:
        norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
        for norm in norms:
            assert norm.num_batches_tracked is not None
            seen.add(int(norm.num_batches_tracked))
        return 0.5, 0.1

    monkeypatch.setattr(selection, "evaluate", evaluate)
    select_from(uniform(SPACE), [limit((LOW + HIGH) // 4, SPACE)])
    assert seen == {2}  # the calibration batches of select_from


def test_a_loss_that_is_no_number_ranks_last_and_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = iter((math.nan, 0.5, math.inf, 0.4))
    monkeypatch.setattr(selection, "evaluate", lambda *_: (next(told), 0.1))
    found = select_from(uniform(SPACE), [limit((LOW + HIGH) // 4, SPACE)])
    losses = [candidate.loss for candidate in found.ranking]
    assert losses == [0.4, 0.5, sys.float_info.max, sys.float_info.max]
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Selection.from_json(json.loads(text)) == found


def test_the_same_seed_selects_the_same() -> None:
    limits = [limit((LOW + HIGH) // 4, SPACE)]
    first = select_from(uniform(SPACE), limits)
    assert first == select_from(uniform(SPACE), limits)
    assert first != select_from(uniform(SPACE), limits, seed=1)


def test_if_no_draw_fits_the_most_probable_network_is_repaired() -> None:
    limits = [limit((LOW + HIGH) // 4, SPACE)]
    found = select_from(certain(largest(SPACE), 2), limits)
    assert found.repaired
    assert found.fitting == 0
    assert found.distinct == 1
    assert [fits(limits, candidate.architecture) for candidate in found.ranking] == [
        True
    ]


NARROW = replace(SPACE, sizes=False)


def test_without_sizes_one_cell_is_drawn_for_all_stages() -> None:
    rng = np.random.default_rng(0)
    mixture = uniform(SPACE)
    mixture.kernel[:], mixture.depth[:] = [0, 0, 1], [0, 1]
    found = list(draw(mixture, 50, channels=2, rng=rng, tied=True))
    assert all(network.belongs_to(NARROW) for network in found)
    assert len(set(found)) == 50
    untied = list(draw(mixture, 50, channels=2, rng=rng))
    assert not any(network.belongs_to(NARROW) for network in untied)


@settings(max_examples=8)
@given(st.integers(LOW, HIGH))
def test_a_network_without_sizes_is_repaired_within_its_space(budget: int) -> None:
    start = largest(NARROW)
    limits = [limit(budget, NARROW)]
    found = repair(start, certain(start, 2), limits, NARROW)
    assert fits(limits, found)
    assert found.connected
    assert found.belongs_to(NARROW)


@settings(max_examples=8)
@given(mixtures(), st.integers(LOW, HIGH))
def test_a_network_over_the_budget_can_always_be_repaired(
    mixture: Probabilities, budget: int
) -> None:
    limits = [limit(budget, SPACE)]
    found = repair(derive(mixture, channels=2), mixture, limits, SPACE)
    assert fits(limits, found)
    assert found.connected
    assert found.simplified() == found
    assert found.belongs_to(SPACE)


@settings(max_examples=8)
@given(mixtures(), st.integers(LOW, HIGH))
def test_a_network_under_the_least_count_can_always_be_repaired(
    mixture: Probabilities, budget: int
) -> None:
    limits = [Constraint("min_parameters", TABLE, lower=budget)]
    found = repair(derive(mixture, channels=2), mixture, limits, SPACE)
    assert fits(limits, found)
    assert found.connected
    assert found.belongs_to(SPACE)


@settings(max_examples=5)
@given(mixtures(), st.integers(LOW, HIGH), st.integers(0, 200))
def test_a_band_is_met_or_said_to_be_out_of_reach(
    mixture: Probabilities, budget: int, width: int
) -> None:
    lower = Constraint("min_parameters", TABLE, lower=budget)
    limits = [lower, limit(budget + width, SPACE)]
    try:
        found = repair(derive(mixture, channels=2), mixture, limits, SPACE)
    except BudgetError as error:
        assert str(error).startswith("search: no network found inside budget.")  # noqa: PT017 - either end is right
        return
    assert fits(limits, found)


@pytest.mark.parametrize(
    "candidates",
    [
        ((Op.SKIP, None), *[(Op.NONE, None)] * 3, (Op.SKIP, None), (Op.NONE, None)),
        (
            (Op.AVG_POOL, None),
            (Op.NONE, None),
            (Op.SKIP, None),
            *[(Op.NONE, None)] * 2,
            (Op.SKIP, None),
        ),
    ],
)
def test_repair_reaches_the_smallest_network_from_a_long_path(
    candidates: tuple[tuple[Op, int | None], ...],
) -> None:
    """Of costs that identities have too: a path is never dearer than a direct edge."""
    start = Architecture(2, (stage_of(candidates),) * 3)
    table = byte_table(SPACE, TASK)
    tight = Constraint("model_kb", table, upper=exact(table, smallest(SPACE)))
    found = repair(start, certain(start, 2), [tight], SPACE)
    assert fits([tight], found)


def test_repair_gives_a_dead_stage_an_identity() -> None:
    dead = stage_of(((Op.NONE, None),) * 6)
    start = Architecture(2, (dead,) * 3)
    found = repair(start, certain(start, 2), [limit(LOW, SPACE)], SPACE)
    assert found == smallest(SPACE)


def test_a_network_inside_the_budget_is_only_simplified() -> None:
    mixture = random_mixture(3)
    start = derive(mixture, channels=2)
    assert start.connected
    assert repair(start, mixture, [limit(HIGH, SPACE)], SPACE) == start.simplified()


def test_what_can_t_be_repaired_is_named() -> None:
    start = largest(SPACE)
    with pytest.raises(BudgetError) as caught:
        repair(start, certain(start, 2), [limit(LOW - 1, SPACE)], SPACE)
    assert str(caught.value) == (
        f"search: no network found inside budget.parameters = {LOW - 1:,},"
        f" the nearest has {LOW:,}"
    )
    assert caught.value.hint == (
        "widen budget.parameters, or the limits that work against it"
    )
    assert caught.value.exit_code == 3


def test_a_budget_beside_the_reach_of_one_draw_is_met_from_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Single changes may end beside a narrow band, whichever network they begin at."""
    tried: list[Architecture] = []

    def stubborn(start: Architecture, *rest: Any) -> Architecture:
        tried.append(start)
        if len(tried) < 3:
            raise BudgetError(f"stuck {len(tried)}", "widen it")
        return repair(start, *rest)

    monkeypatch.setattr("zonas_edge.search.selection.repair", stubborn)
    found = select_from(uniform(SPACE), [limit(LOW, SPACE)])
    assert found.repaired
    assert parameters(found.best.architecture, TASK) == LOW
    assert len(tried) == len(set(tried)) == 3

    def stuck(start: Architecture, *_: Any) -> Architecture:
        tried.append(start)
        raise BudgetError(f"stuck {len(tried)}", "widen it")

    tried.clear()
    monkeypatch.setattr("zonas_edge.search.selection.repair", stuck)
    with pytest.raises(BudgetError, match=r"^stuck 1$"):
        select_from(uniform(SPACE), [limit(LOW, SPACE)])
    assert 3 < len(tried) <= 17
