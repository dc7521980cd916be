"""The search: it learns, repeats itself, resumes exactly, and meets its budget."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.search.toys import (
    SPACE,
    TASK,
    blindfold,
    data_of,
    hastened,
    limit,
    on,
    plain_stripes,
    search_of,
    settings_of,
)
from zonas_edge.architecture import derive, largest, smallest
from zonas_edge.constraint import fits
from zonas_edge.cost import parameters
from zonas_edge.data.batches import Normalisation
from zonas_edge.errors import ZonasError
from zonas_edge.search.alphas import OP_ENTRIES
from zonas_edge.search.feed import SearchData
from zonas_edge.search.loop import Search
from zonas_edge.search.method import MethodName
from zonas_edge.search.record import EpochRecord
from zonas_edge.search.schedule import Schedule
from zonas_edge.search.selection import SelectionSettings, select
from zonas_edge.space import EDGES, OPS, Op, SearchSpace

CONV = OPS.index(Op.CONV)


def planted(device: str = "cpu") -> Search:
    """A search in which the convolution of the first edge alone sees the class."""
    settings = hastened(
        settings_of(epochs=3, batch_size=16),
        alpha_rate=0.1,
        inner_steps=1,
        schedule=Schedule(rate=0.005),
    )
    data = SearchData(
        on(plain_stripes(128, 1), device),
        on(plain_stripes(128, 2), device),
        Normalisation(0.5, 0.25),
    )
    search = Search(SearchSpace(1, 1), TASK, (), data, settings)
    blindfold(search)
    return search


def test_a_search_finds_the_one_candidate_that_sees_the_class() -> None:
    search = planted()
    before = search.mixture().op[0, 0]
    assert before == pytest.approx(0.2, abs=0.01)
    records = [search.run_epoch() for _ in range(3)]
    after = search.mixture().op[0, 0]
    assert derive(search.mixture(), channels=1).stages[0].operations[0] is Op.CONV
    assert after[CONV] > 0.9
    losses = [record.validation_loss or 0.0 for record in records]
    assert losses[-1] < losses[0]


def test_a_search_that_diverges_says_so() -> None:
    settings = hastened(
        settings_of(epochs=2), inner_steps=1, schedule=Schedule(rate=1e30)
    )
    search = search_of(settings)
    with pytest.raises(ZonasError) as caught:
        search.run_epoch()
    assert "the architecture's gradient is not finite after " in str(caught.value)
    assert caught.value.hint == "try another --seed, and look at the images"


def state_bytes(search: Search) -> bytes:
    buffer = io.BytesIO()
    torch.save(search.state_dict(), buffer)
    return buffer.getvalue()


def loaded(data: bytes) -> Any:
    # tensors and plain values only: no pickle is ever trusted
    return torch.load(io.BytesIO(data), weights_only=True)


def same(first: Search, second: Search) -> bool:
    """Weights, twin, parameters and mixtures equal to the last bit."""
    a, b = first.state_dict(), second.state_dict()
    return bool(
        torch.equal(a["alphas"], b["alphas"])
        and torch.equal(a["copies"]["base"]["weights"], b["copies"]["base"]["weights"])
        and torch.equal(a["copies"]["twin"]["weights"], b["copies"]["twin"]["weights"])
        and torch.equal(a["generator"], b["generator"])
        and first.mixture().op.tobytes() == second.mixture().op.tobytes()
    )


EPOCHS = 3


class Reference:
    """One uninterrupted search of seven steps an epoch, and its states on the way."""

    def __init__(self) -> None:
        self.search = search_of(settings_of(epochs=EPOCHS))
        self.records: list[EpochRecord] = []
        self.states = [state_bytes(self.search)]
        for _ in range(EPOCHS):
            self.records.append(self.search.run_epoch())
            self.states.append(state_bytes(self.search))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


def test_the_same_seed_gives_the_same_search(reference: Reference) -> None:
    again = search_of(settings_of(epochs=EPOCHS))
    records = [again.run_epoch() for _ in range(EPOCHS)]
    assert same(again, reference.search)
    assert records == reference.records


def test_another_seed_gives_another_search(reference: Reference) -> None:
    other = search_of(settings_of(epochs=EPOCHS, seed=1))
    other.run_epoch()
    first = search_of(settings_of(epochs=EPOCHS))
    first.load_state_dict(loaded(reference.states[1]))
    assert not same(other, first)


def test_methods_with_and_without_directions_see_the_same_batches(
    reference: Reference,
) -> None:
    without = search_of(settings_of("zo-darts++-rho0", epochs=EPOCHS))
    for state in reference.states[1:]:
        without.run_epoch()
        found = without.state_dict()["generator"]
        assert torch.equal(found, loaded(state)["generator"])
    assert not torch.equal(
        loaded(reference.states[0])["directions"],
        loaded(reference.states[-1])["directions"],
    )


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_search_that_was_killed_goes_on_to_the_same_result(
    reference: Reference, epoch: int
) -> None:
    resumed = search_of(settings_of(epochs=EPOCHS))
    if epoch == 1:  # into a search that has gone elsewhere
        resumed.run_epoch()
    state = loaded(reference.states[epoch])
    assert state["window"] is not None
    resumed.load_state_dict(state)
    records = [resumed.run_epoch() for _ in range(EPOCHS - epoch)]
    assert same(resumed, reference.search)
    assert records == reference.records[epoch:]


def test_windows_run_on_across_epochs(reference: Reference) -> None:
    assert reference.search.steps_per_epoch == 7
    found = [record.alpha_updates for record in reference.records]
    assert found == [7 * epoch // 10 for epoch in range(1, EPOCHS + 1)]


def test_a_record_tells_what_happened(reference: Reference) -> None:
    first, second = reference.records[:2]
    assert [record.epoch for record in reference.records] == [1, 2, 3]
    assert first.validation_loss is None  # the first window ends in epoch 2
    assert first.implicit_slope is None
    assert first.direct_norm is None
    assert second.validation_loss is not None
    assert second.direct_norm is not None
    assert second.direct_norm > 0
    assert second.implicit_slope is not None
    assert second.implicit_slope > 0
    assert first.train_loss > 0
    # a third of the search is three full tenths
    assert first.temperature == pytest.approx(1.5 * 0.75**3)
    # of the window that opened last: at steps 0, 10 and 20 of 21
    assert [record.sizes for record in reference.records] == [False, True, True]
    assert first.strength == 1
    assert first.expected == {}
    assert np.asarray(first.mixture["op"]).shape == (3, 6, 5)
    assert first.stable_epochs == 0
    assert reference.search.finished


def test_the_record_s_last_mixture_is_the_search_s(reference: Reference) -> None:
    mixture = reference.search.mixture()
    assert reference.records[-1].mixture == {
        "op": mixture.op.tolist(),
        "kernel": mixture.kernel.tolist(),
        "depth": mixture.depth.tolist(),
    }


def test_before_the_size_phase_only_operations_move(reference: Reference) -> None:
    before = loaded(reference.states[0])["alphas"]
    after = loaded(reference.states[2])["alphas"]
    assert torch.equal(before[OP_ENTRIES:], after[OP_ENTRIES:])
    assert not torch.equal(before[:OP_ENTRIES], after[:OP_ENTRIES])


def test_the_paper_s_estimator_runs_in_double_precision() -> None:
    settings = hastened(
        settings_of(MethodName.ZO_DARTS_PP_PAPER, epochs=1),
        inner_steps=3,
        schedule=Schedule(rate=0.1, size_phase=0.0),
    )
    low = parameters(smallest(SPACE), TASK)
    search = search_of(settings, constraints=(limit(low),))
    record = search.run_epoch()
    assert search.alphas.vector.dtype == torch.float64
    assert next(search.supernet.parameters()).dtype == torch.float64
    assert record.strength is None
    assert record.alpha_updates == 2
    assert record.expected["parameters"] > low


# -- budget ---------------------------------------------------------------------


def test_a_tight_budget_is_entered_in_a_few_epochs_and_met_at_the_end() -> None:
    low, high = (parameters(found, TASK) for found in (smallest(SPACE), largest(SPACE)))
    tight = limit(low + (high - low) // 50)
    settings = hastened(
        settings_of(epochs=5, seed=1),
        inner_steps=1,
        alpha_rate=0.02,
        schedule=Schedule(size_phase=0.0),
    )
    search = search_of(settings, constraints=(tight,))
    records = [search.run_epoch() for _ in range(5)]
    assert tight.upper is not None
    expected = [record.expected["parameters"] for record in records]
    assert expected[0] > tight.upper
    assert min(expected[:3]) <= tight.upper
    assert expected[-1] <= tight.upper
    data = data_of()
    found = select(
        search.supernet,
        search.mixture(),
        [tight],
        train=data.weights,
        val=data.alphas,
        normalisation=data.normalisation,
        rng=np.random.default_rng(0),
        settings=SelectionSettings(draws=20, ranked=2, calibration_batches=1),
    )
    assert not found.repaired
    assert fits([tight], found.best.architecture)


def test_a_search_without_limits_has_no_pull() -> None:
    settings = hastened(
        settings_of(epochs=1), inner_steps=3, schedule=Schedule(size_phase=0.0)
    )
    record = search_of(settings).run_epoch()
    assert record.strength == 1


@pytest.mark.gpu
def test_the_same_seed_gives_the_same_decisions_twice_on_cuda() -> None:
    found = []
    for _ in range(2):
        search = planted("cuda")
        for _ in range(3):
            search.run_epoch()
        found.append(derive(search.mixture(), channels=1).stages[0].operations[0])
    assert found == [Op.CONV, Op.CONV]


def test_settings_are_a_value() -> None:
    settings = settings_of()
    assert replace(settings, seed=1) == settings_of(seed=1)
    assert len(EDGES) == 6
