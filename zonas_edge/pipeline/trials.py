"""The candidates' trials as a step of a search: log, resumption, the winner."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from zonas_edge.architecture import Architecture
from zonas_edge.artifact import Run, cut_lines, read_lines
from zonas_edge.data.batches import DeviceData
from zonas_edge.errors import UsageError
from zonas_edge.learner import steps_per_epoch
from zonas_edge.pipeline.epochs import logged
from zonas_edge.retrain import RetrainSettings
from zonas_edge.space import TaskSpec
from zonas_edge.trials import Round, Tournament, TrialRecord, rounds_of, tried

OnTrial = Callable[[TrialRecord, int, float], None]
"""Called after each trial with its record, the number of trials, and the fraction of
all their steps that is done."""


def run_trials(
    run: Run,
    candidates: Sequence[Architecture],
    task: TaskSpec,
    data: DeviceData,
    *,
    epochs: int,
    settings: RetrainSettings,
    on_trial: OnTrial,
) -> Tournament:
    """Find the candidate that learns best, or go on finding it.

    Args:
        run: its folder; the trials in its log are not repeated.
        candidates: the likeliest first.
        task: image shape and classes.
        data: train is learned from, val judges.
        epochs: passes over the train split, of all trials together, at most.
        settings: of the retraining; its recipe is that of the trials.
        on_trial: told of each trial.

    Returns:
        The trials at their end.

    Raises:
        UsageError: the log is of other trials.
    """
    steps = epochs * steps_per_epoch(len(data.train), settings)
    tournament = _begun(run, rounds_of(len(candidates), steps))
    while (trial := tournament.following) is not None:
        network = candidates[trial.candidate]
        do = partial(tried, trial, network, task, data=data, recipe=settings)
        record: TrialRecord = logged(run.trials_log, do)
        tournament.add(record)
        on_trial(record, tournament.trials, tournament.done)
    return tournament


def told(tournament: Tournament) -> dict[str, Any]:
    """What the trials have come to, as ``run.json`` tells it."""
    last = tournament.last
    return {
        "trials": tournament.trials,
        "entrants": tournament.entrants,
        "winner": tournament.winner,
        "steps": None if last is None else last.steps,
        "val_loss": None if last is None else last.val_loss,
        "val_accuracy": None if last is None else last.val_accuracy,
    }


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
