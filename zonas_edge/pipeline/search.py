"""The search as a step of a run: history, checkpoints, selection, architecture."""

from dataclasses import asdict
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from zonas_edge.architecture import Architecture
from zonas_edge.artifact import Run, read_json, write_json
from zonas_edge.constraint import (
    Constraint,
    check_reachable,
    constraints_of,
    latency_model,
)
from zonas_edge.data.batches import DeviceData
from zonas_edge.data.dataset import Dataset
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.blueprint import costs_of, read_blueprint
from zonas_edge.pipeline.epochs import (
    Stage,
    check_settings,
    go_on,
    run_epochs,
    seconds_of,
)
from zonas_edge.pipeline.request import Request, halves
from zonas_edge.pipeline.retrain import retrain_settings
from zonas_edge.pipeline.trials import run_trials, told
from zonas_edge.reference import Reference
from zonas_edge.search.feed import SearchData
from zonas_edge.search.loop import Search
from zonas_edge.search.method import METHODS
from zonas_edge.search.record import EpochRecord
from zonas_edge.search.selection import (
    Candidate,
    Selection,
    SelectionSettings,
    select,
)
from zonas_edge.search.settings import SearchSettings, default_batch
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace
from zonas_edge.trials import TrialRecord


class Listener(Protocol):
    """Who is told how a search goes."""

    def search_epoch(self, record: EpochRecord, epochs: int) -> None:
        """Hear of an epoch, and of how many there are."""

    def selection(self) -> None:
        """Hear that networks drawn from the mixture are ranked."""

    def trial(self, record: TrialRecord, trials: int, done: float) -> None:
        """Hear of a short training of one of them, and how far all of them are."""


def check_budget(request: Request, dataset: Dataset) -> tuple[Constraint, ...]:
    """The budget's limits for this task.

    Raises:
        BudgetError: no network of the space can meet one of them.
        UsageError: the profile's latency model says nothing of these networks.
    """
    space = space_of(request)
    if request.profile.device is not None:
        latency_model(request.profile, space, dataset.task)  # used later, refused now
    limits = constraints_of(request.profile, space, dataset.task)
    check_reachable(limits, space, request.profile.path)
    return limits


def space_of(request: Request) -> SearchSpace:
    """What a request's method decides of the profile's space."""
    return METHODS[request.method].narrowed(request.profile.search_space)


def search_settings(request: Request, dataset: Dataset) -> SearchSettings:
    """The settings of the search that a request means."""
    for_weights, for_alphas = halves(dataset, request.seed, request.search_images)
    # a published batch is that of the whole set
    whole = len(for_weights) + len(for_alphas) == len(dataset.train)
    published = dataset.batch_size if whole else None
    return SearchSettings.of(
        request.method,
        epochs=request.epochs,
        batch_size=default_batch(len(for_weights), dataset.task.pixels, published),
        seed=request.seed,
        flip=dataset.flip,
    )


def run_search(
    run: Run,
    request: Request,
    dataset: Dataset,
    listener: Listener,
) -> None:
    """Search, or go on searching, and write the chosen architecture.

    Args:
        run: its folder; a checkpoint in it is gone on from.
        request: what is asked for.
        dataset: its train split is searched on, its val split ranks.
        listener: told how it goes.

    Raises:
        BudgetError: the budget can't be met.
        UsageError: it was begun with other settings, as those of an older version.
    """
    if run.finished("search"):
        return
    limits = check_budget(request, dataset)
    settings = search_settings(request, dataset)
    data = DeviceData.of(dataset, request.device)
    for_weights, for_alphas = (
        data.train.take(half)
        for half in halves(dataset, request.seed, request.search_images)
    )
    images = len(for_weights) + len(for_alphas)
    search = Search(
        space_of(request),
        dataset.task,
        limits,
        SearchData(for_weights, for_alphas, data.normalisation),
        settings,
    )
    stage = Stage(
        "search", run.history, run.search_checkpoint, "begin again with another --name"
    )
    check_settings(stage, run.read().get("search_settings"), settings)
    go_on(search, stage, device=request.device)
    run.mark("search", "started")
    run.update(search_settings=asdict(settings))
    seconds = run_epochs(
        search,
        stage,
        on_epoch=lambda record: listener.search_epoch(record, settings.epochs),
    )
    # of the data too: uniform draws would be the same networks on every set
    draws = derived_seed(request.seed, f"selection {dataset.learning_hash()}")
    selection, ranking_seconds = _selected(run, draws, data, search, listener)
    tournament = run_trials(
        run,
        [candidate.architecture for candidate in selection.ranking],
        dataset.task,
        data,
        epochs=request.trial_epochs,
        settings=retrain_settings(request, dataset),
        on_trial=listener.trial,
    )
    best = selection.ranking[tournament.winner]
    write_json(run.architecture, best.architecture.to_json())
    summary = _summary(search, selection, best, request, dataset)
    spent: dict[str, Any] = {
        "search_seconds": seconds,
        "selection_seconds": ranking_seconds,
        "trial_seconds": seconds_of(run.trials_log),
        "images": images,
    }
    run.update(search=summary | {"trials": told(tournament)} | spent)
    run.mark("search", "finished")


def _selected(
    run: Run,
    seed: int,
    data: DeviceData,
    search: Search,
    listener: Listener,
) -> tuple[Selection, float]:
    """The networks that come into question, and the seconds that finding them took.

    They are written down, so that trials that were killed go on with the same ones.
    """
    if run.candidates.is_file():
        kept = read_json(run.candidates)
        try:
            return Selection.from_json(kept), float(kept["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{run.candidates}: damaged ({error})",
                "delete it, and repeat the command with --resume",
            ) from None
    listener.selection()
    begun = perf_counter()
    selection = select(
        search.supernet,
        search.mixture(),
        search.constraints,
        train=data.train,
        val=data.val,
        normalisation=data.normalisation,
        rng=np.random.default_rng(seed),
        settings=SelectionSettings.of(search.settings.method),
    )
    seconds = round(perf_counter() - begun, 1)
    write_json(run.candidates, {**selection.to_json(), "seconds": seconds})
    return selection, seconds


def read_architecture(run: Run) -> Architecture:
    """The architecture that the search chose.

    Raises:
        UsageError: there is none yet, the file is damaged, or the run is about a
            reference network.
    """
    found = read_blueprint(run)
    if isinstance(found, Reference):
        raise UsageError(
            f"{run.path}: its network is {found.name.value}, not one of a search",
            "zonas-edge runs list",
        )
    return found


def _summary(
    search: Search,
    selection: Selection,
    best: Candidate,
    request: Request,
    dataset: Dataset,
) -> dict[str, Any]:
    """What ``run.json`` keeps of a search."""
    taken = search.stock()
    return {
        "epochs": search.epoch,
        "passes": round(search.passes),
        "alpha_updates": search.alpha_updates,
        "converged": search.converged,
        "mean_maximum": taken[0],
        "mean_entropy": taken[1],
        "drawn": selection.drawn,
        "distinct": selection.distinct,
        "fitting": selection.fitting,
        "repaired": selection.repaired,
        "ranked": selection.ranked,
        "ranking_loss": {
            "best": selection.best.loss,
            "worst": selection.ranking[-1].loss,
        },
        "val_accuracy": best.accuracy,
        **costs_of(best.architecture, request.profile, dataset.task),
    }
