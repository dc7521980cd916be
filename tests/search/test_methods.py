"""The methods: their figures, their spaces, and each as a small search to its end."""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.search.toys import (
    SPACE,
    TASK,
    data_of,
    hastened,
    limit,
    search_of,
    settings_of,
)
from zonas_edge.architecture import Architecture, largest, smallest
from zonas_edge.constraint import fits
from zonas_edge.cost import parameters
from zonas_edge.search.loop import Search
from zonas_edge.search.method import DEFAULT, METHODS, MethodName
from zonas_edge.search.selection import Selection, SelectionSettings, select
from zonas_edge.space import EDGES, OPS, STAGES

LOW, HIGH = (parameters(found, TASK) for found in (smallest(SPACE), largest(SPACE)))
TIGHT = LOW + 60
"""One uniform draw in dozens is inside."""


def test_every_name_has_its_method() -> None:
    assert list(METHODS) == list(MethodName)
    assert all(METHODS[name].name == name for name in MethodName)


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("zo-darts++", 2.1),
        ("zo-darts++-paper", 2.1),
        ("zo-darts++-rho0", 1.1),
        ("zo-darts+", 2.1),
        ("zo-darts", 2.1),
        ("darts", 5),
        ("darts-first-order", 2),
        ("milenas", 3),
        ("random", 1),
        ("random-single", 0),
    ],
)
def test_a_training_batch_costs_the_published_passes(name: str, passes: float) -> None:
    assert METHODS[name].passes_per_batch == pytest.approx(passes)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("zo-darts++-paper", 0.015),
        ("zo-darts+", 0.015),
        ("zo-darts", 0.015),
        ("darts", 3e-4),
        ("darts-first-order", 3e-4),
        ("milenas", 3e-4),
    ],
)
def test_the_published_methods_have_the_published_rates(name: str, rate: float) -> None:
    method = METHODS[name]
    assert method.alpha_rate == rate
    assert method.alpha_betas == (0.5, 0.999)
    assert method.alpha_decay == 1e-3
    assert method.schedule.rate == 0.1
    assert method.schedule.final_rate == 0.001


@pytest.mark.parametrize("name", ["zo-darts", "darts", "darts-first-order", "milenas"])
def test_softmax_has_no_temperature(name: str) -> None:
    schedule = METHODS[name].schedule
    assert {schedule.temperature_at(n / 50) for n in range(50)} == {1.0}


@pytest.mark.parametrize(
    ("asked", "epochs"), [(1, 3), (10, 21), (30, 63), (50, 105)], ids=str
)
def test_random_trains_for_the_default_s_passes(asked: int, epochs: int) -> None:
    method = METHODS["random"]
    assert method.epochs_for(asked) == epochs
    default = METHODS[DEFAULT].passes_per_batch * asked
    assert default <= method.passes_per_batch * epochs + 1e-9 < default + 1


# -- each to its end -------------------------------------------------------------


def saved(search: Search) -> Any:
    """The state as a checkpoint gives it back."""
    buffer = io.BytesIO()
    torch.save(search.state_dict(), buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, whatever is in it."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def made(name: str) -> Search:
    """Four steps an epoch, three epochs, a window of three steps if it has several."""
    settings = settings_of(name, epochs=3)
    if settings.method.inner_steps > 1:
        settings = hastened(settings, inner_steps=3)
    return search_of(settings, constraints=(limit(TIGHT),), count=32)


def selected(search: Search, budget: int, seed: int = 0, ranked: int = 2) -> Selection:
    data = data_of(16)
    settings = SelectionSettings.of(search.settings.method)
    return select(
        search.supernet,
        search.mixture(),
        [limit(budget, search.space)],
        train=data.weights,
        val=data.alphas,
        normalisation=data.normalisation,
        rng=np.random.default_rng(seed),
        settings=replace(
            settings,
            ranked=min(ranked, settings.ranked),
            calibration_batches=1,
        ),
    )


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].trained])
def test_every_method_resumes_exactly_and_ends_inside_the_budget(name: str) -> None:
    whole, resumed = made(name), made(name)
    records, states = [], []
    for _ in range(2):
        records.append(whole.run_epoch())
        states.append(saved(whole))
    resumed.load_state_dict(states[0])
    assert resumed.run_epoch() == records[1]
    assert same(saved(resumed), states[1])
    assert all(math.isfinite(record.train_loss) for record in records)
    method = whole.settings.method
    assert records[-1].alpha_updates == method.decides * (8 // method.inner_steps)
    assert whole.passes == 8 * method.passes_per_batch
    found = selected(whole, TIGHT).best.architecture
    assert fits([limit(TIGHT, SPACE)], found)
    assert found.connected


def test_without_an_implicit_part_the_penalty_still_rises_when_tight() -> None:
    search = made("zo-darts++-rho0")
    records = [search.run_epoch() for _ in range(3)]
    assert records[0].strength == 1
    assert records[-1].strength is not None
    assert records[-1].strength > 1


@pytest.mark.parametrize("name", ["zo-darts", "darts"])
def test_softmax_keeps_every_operation_the_same_in_all_stages(name: str) -> None:
    search = made(name)
    search.run_epoch()
    mixture = search.mixture()
    assert len(search.alphas.vector) == len(EDGES) * len(OPS)
    assert float(search.alphas.vector.detach().std()) > 0
    assert mixture.op.min() > 0
    np.testing.assert_allclose(mixture.op.sum(-1), 1)
    for s in range(STAGES):
        np.testing.assert_array_equal(mixture.op[s], mixture.op[0])
    exact = torch.softmax(search.alphas.vector.detach().view(6, 5), -1).numpy()
    np.testing.assert_allclose(mixture.op[0], exact, rtol=1e-6)


def test_without_sizes_kernels_are_3x3_to_the_end() -> None:
    search = made("zo-darts+")
    records = [search.run_epoch() for _ in range(3)]
    assert not records[-1].sizes
    mixture = search.mixture()
    assert (mixture.kernel == [0, 0, 1]).all()
    conv = search.supernet.get_parameter("stages.0.0.edge_0_1.conv.weight")
    assert conv.shape[-2:] == (3, 3)
    found = selected(search, 10**6)
    for candidate in found.ranking:
        assert candidate.architecture.belongs_to(search.space)


def test_sizes_begin_as_they_were_drawn_whatever_decay_has_made_of_them() -> None:
    """L2 inside Adam moves entries without a gradient; the size phase is after that."""
    search = made("zo-darts++-paper")
    sizes = slice(search.alphas.active(sizes=False), None)
    drawn = search.alphas.vector.detach()[sizes].clone()
    search.run_epoch()
    assert not torch.equal(search.alphas.vector.detach()[sizes], drawn)
    assert search.run_epoch().sizes  # its window is open yet
    assert torch.equal(search.alphas.vector.detach()[sizes], drawn)
    search.run_epoch()
    assert not torch.equal(search.alphas.vector.detach()[sizes], drawn)


# -- random ----------------------------------------------------------------------


def test_random_trains_the_weights_under_a_uniform_mixture_and_leaves_alpha() -> None:
    search = made("random")
    assert search.settings.epochs == 7
    before = search.supernet.head.classifier.weight.detach().clone()
    record = search.run_epoch()
    assert not torch.equal(search.supernet.head.classifier.weight, before)
    assert not search.alphas.vector.detach().any()
    mixture = search.mixture()
    np.testing.assert_allclose(mixture.op, 1 / 5, rtol=1e-6)
    np.testing.assert_allclose(mixture.kernel, 1 / 3, rtol=1e-6)
    assert record.sizes
    assert record.validation_loss is None
    assert record.strength is None


def test_random_ranks_as_many_inside_a_tight_budget_as_any_search_may() -> None:
    search = made("random")
    found = selected(search, TIGHT, ranked=99)
    assert found.ranked == len(found.ranking) == SelectionSettings().ranked
    assert found.drawn > SelectionSettings().draws
    assert not found.repaired


def single(seed: int) -> tuple[Search, Selection]:
    search = made("random-single")
    return search, selected(search, (LOW + HIGH) // 2, seed)


def test_random_single_is_one_draw_that_nothing_was_trained_for() -> None:
    search, found = single(0)
    assert search.finished
    assert search.epoch == 0
    assert search.passes == 0
    assert len(found.ranking) == found.fitting == 1
    assert found.ranked == 0
    assert found.best.loss is None
    assert found.best.accuracy is None
    assert fits([limit((LOW + HIGH) // 2, SPACE)], found.best.architecture)
    assert single(0)[1] == found


def test_random_single_is_another_network_for_another_seed() -> None:
    networks: set[Architecture] = {
        single(seed)[1].best.architecture for seed in range(4)
    }
    assert len(networks) == 4


def test_what_no_uniform_draw_meets_is_made_to_fit() -> None:
    search = made("random-single")
    mixture = search.mixture()
    assert mixture.op.shape == (STAGES, len(EDGES), len(OPS))
    data = data_of(16)
    found = select(
        search.supernet,
        mixture,
        [limit(LOW, SPACE)],
        train=data.weights,
        val=data.alphas,
        normalisation=data.normalisation,
        rng=np.random.default_rng(1),
        settings=SelectionSettings(draws=1, ranked=1, probable=False, judged=False),
    )
    assert found.repaired
    assert found.drawn == 1
    best = found.best.architecture
    assert parameters(best, TASK) == LOW
