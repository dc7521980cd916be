"""Short trainings that decide between candidates."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_retrain import ARCHITECTURE, TASK, stripes
from zonas_edge.data.batches import DeviceData, DeviceSplit, Normalisation
from zonas_edge.learner import Recipe
from zonas_edge.report.progress import trial_figures
from zonas_edge.trials import (
    LEAST_STEPS,
    MOST,
    Round,
    Tournament,
    Trial,
    TrialRecord,
    rounds_of,
    tried,
)

ROUNDS = (Round(4, 40), Round(2, 80))


def told(trial: Trial, loss: float) -> TrialRecord:
    return TrialRecord(
        **vars(trial), train_loss=1.0, val_loss=loss, val_accuracy=1 - loss
    )


def played(losses: list[float], records: int = 99) -> Tournament:
    """A tournament in which a network always has the same loss, up to some trial."""
    tournament = Tournament(ROUNDS)
    while (trial := tournament.following) is not None and trial.number <= records:
        tournament.add(told(trial, losses[trial.candidate]))
    return tournament


@given(candidates=st.integers(0, 40), steps=st.integers(0, 100_000))
def test_rounds_share_the_steps_and_halve_the_networks(
    candidates: int, steps: int
) -> None:
    rounds = rounds_of(candidates, steps)
    shares = {each.candidates * each.steps for each in rounds}
    assert len(shares) <= 1
    assert sum(each.candidates * each.steps for each in rounds) <= steps
    counts = [each.candidates for each in rounds]
    assert all(count <= min(candidates, MOST) for count in counts)
    assert all(each.steps >= LEAST_STEPS for each in rounds)
    assert counts == [2 ** (len(counts) - place) for place in range(len(counts))]


@pytest.mark.parametrize(
    ("candidates", "steps", "expected"),
    [
        (24, 10240, (Round(16, 160), Round(8, 320), Round(4, 640), Round(2, 1280))),
        (24, 10239, (Round(8, 426), Round(4, 852), Round(2, 1704))),
        (5, 100_000, (Round(4, 12500), Round(2, 25000))),
        (24, 320, (Round(2, 160),)),
        (24, 319, ()),
        (1, 100_000, ()),
        (24, 0, ()),
    ],
)
def test_as_many_enter_as_each_can_train_long_enough(
    candidates: int, steps: int, expected: tuple[Round, ...]
) -> None:
    assert rounds_of(candidates, steps) == expected


def test_the_better_half_goes_on_and_the_best_wins() -> None:
    tournament = played([0.4, 0.2, 0.5, 0.3])
    assert tournament.winner == 1
    assert tournament.last == told(Trial(5, 2, 1, 80), 0.2)
    assert (tournament.entrants, tournament.trials, tournament.done) == (4, 6, 1.0)
    second = played([0.4, 0.2, 0.5, 0.3], records=5)
    assert second.following == Trial(6, 2, 3, 80)
    assert second.done == 0.75
    assert second.last is None


def test_a_tie_goes_to_the_network_that_entered_first() -> None:
    assert played([0.5, 0.5, 0.5, 0.5]).winner == 0


def test_without_rounds_the_first_network_has_won() -> None:
    tournament = Tournament(())
    assert (tournament.winner, tournament.following) == (0, None)
    assert (tournament.trials, tournament.entrants, tournament.done) == (0, 1, 1.0)


@pytest.mark.parametrize("stopped", range(7))
def test_a_stopped_tournament_goes_on_from_its_records(stopped: int) -> None:
    losses = [0.4, 0.2, 0.5, 0.3]
    records: list[TrialRecord] = []
    first = Tournament(ROUNDS)
    while (trial := first.following) is not None:
        records.append(told(trial, losses[trial.candidate]))
        first.add(records[-1])
    again = Tournament(ROUNDS, records[:stopped])
    for record in records[stopped:]:
        assert again.following == record.trial
        again.add(record)
    assert again.winner == first.winner


def test_a_record_of_another_trial_is_refused() -> None:
    with pytest.raises(ValueError, match="trial 3 is not the one that comes next"):
        Tournament(ROUNDS, [told(Trial(3, 1, 2, 40), 0.1)])


def trial_of(
    seed: int, steps: int, device: str = "cpu", rate: float = 3e-3
) -> TrialRecord:
    train, val = stripes(32, 1), stripes(16, 2)
    return tried(
        Trial(1, 1, 0, steps),
        ARCHITECTURE,
        TASK,
        data=DeviceData(
            DeviceSplit.of(train, device),
            DeviceSplit.of(val, device),
            Normalisation.of(train),
        ),
        recipe=Recipe(batch_size=8, seed=seed, flip=False, rate=rate),
    )


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_trial_learns(device: str) -> None:
    short, long = trial_of(0, 4, device), trial_of(0, 48, device)
    assert long.val_loss < short.val_loss
    assert long.val_accuracy == 1.0


def test_the_same_seed_gives_the_same_trial() -> None:
    short = trial_of(0, 4)
    assert trial_of(0, 4) == short
    assert trial_of(1, 4) != short


def test_a_trial_that_diverges_loses_and_ends_nothing() -> None:
    lost = trial_of(0, 8, rate=1e30)
    assert lost.val_loss == lost.train_loss == sys.float_info.max
    assert trial_figures(lost)["val loss"] == "diverged"
    tournament = Tournament((Round(2, 8),))
    tournament.add(replace(lost, steps=8))
    tournament.add(told(Trial(2, 1, 1, 8), 5.0))
    assert tournament.winner == 1
