"""The candidates' trials as a step of a search: log, resumption, the winner."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from time import perf_counter
from typing import Any

from zonas_edge.architecture import Architecture
from zonas_edge.artifact import Run, append_line, cut_lines, read_lines
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.data.dataset import Dataset
from zonas_edge.errors import UsageError
from zonas_edge.learner import steps_per_epoch
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import retrain_settings
from zonas_edge.trials import (
    Round,
    Tournament,
    TrialRecord,
    rounds_of,
    tried,
)

OnTrial = Callable[[TrialRecord, int, float], None]
"""Called after each trial with its record, the number of trials, and the fraction of
all their steps that is done."""


@dataclass(frozen=True)
class Outcome:
    """What the trials have come to.

    Args:
        winner: place among the candidates, from 0.
        trials: trainings, 0 where there were too few steps for any.
        entrants: networks that entered, 1 without trials.
        last: the winner's last trial, None without trials.
        seconds: of all of them, those before a resumption included.
    """

    winner: int
    trials: int
    entrants: int
    last: TrialRecord | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As ``run.json`` tells it."""
        last = self.last
        return {
            "trials": self.trials,
            "entrants": self.entrants,
            "winner": self.winner,
            "steps": None if last is None else last.steps,
            "val_loss": None if last is None else last.val_loss,
            "val_accuracy": None if last is None else last.val_accuracy,
        }


def run_trials(
    run: Run,
    candidates: Sequence[Architecture],
    request: Request,
    dataset: Dataset,
    on_trial: OnTrial,
) -> Outcome:
    """Find the candidate that learns best, or go on finding it.

    Args:
        run: its folder; the trials in its log are not repeated.
        candidates: the likeliest first.
        request: its trial epochs bound the steps of all trials together.
        dataset: train is learned from, val judges.
        on_trial: told of each trial.

    Raises:
        UsageError: the log is of other trials.
    """
    settings = retrain_settings(request, dataset)
    train = DeviceSplit.of(dataset.train, request.device)
    val = DeviceSplit.of(dataset.val, request.device)
    normalisation = Normalisation.of(dataset.train)
    steps = request.trial_epochs * steps_per_epoch(len(train), settings)
    tournament = _begun(run, rounds_of(len(candidates), steps))

    while (trial := tournament.following) is not None:
        begun = perf_counter()
        record = tried(
            trial,
            candidates[trial.candidate],
            dataset.task,
            train=train,
            val=val,
            normalisation=normalisation,
            recipe=settings,
        )
        seconds = round(perf_counter() - begun, 3)
        append_line(run.trials_log, asdict(record) | {"seconds": seconds})
        tournament.add(record)
        on_trial(record, tournament.trials, tournament.done)
    spent = sum(float(line["seconds"]) for line in read_lines(run.trials_log))
    return Outcome(
        winner=tournament.winner,
        trials=tournament.trials,
        entrants=tournament.entrants,
        last=tournament.last,
        seconds=round(spent, 1),
    )


def _begun(run: Run, rounds: tuple[Round, ...]) -> Tournament:
    """A tournament with the trials of the log, which a kill may have torn."""
    cut_lines(run.trials_log, lambda _: True)
    try:
        records = [
            TrialRecord(**{key.name: line[key.name] for key in fields(TrialRecord)})
            for line in read_lines(run.trials_log)
        ]
        return Tournament(rounds, records)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{run.trials_log}: not the log of these trials ({error})",
            "delete it, and repeat the command with --resume",
        ) from None
