"""Retraining as a step of a run: log, checkpoints, the weights that are shipped."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

from torch import Tensor

from zonas_edge.artifact import Run
from zonas_edge.data.batches import DeviceData, Normalisation
from zonas_edge.data.dataset import Dataset
from zonas_edge.learner import default_batch
from zonas_edge.nn.build import build
from zonas_edge.nn.classifier import Classifier
from zonas_edge.pipeline.blueprint import read_blueprint
from zonas_edge.pipeline.checkpoint import load_state, save_state
from zonas_edge.pipeline.epochs import Stage, check_settings, go_on, run_epochs
from zonas_edge.pipeline.request import Request
from zonas_edge.retrain import Retraining, RetrainRecord, RetrainSettings
from zonas_edge.space import TaskSpec

OnRetrain = Callable[[RetrainRecord, int], None]
"""Called after each epoch with its record and the number of epochs."""


def retrain_settings(request: Request, dataset: Dataset) -> RetrainSettings:
    """The settings of the retraining that a request means."""
    return RetrainSettings(
        epochs=request.retrain_epochs,
        batch_size=default_batch(len(dataset.train), dataset.task.pixels),
        seed=request.seed,
        flip=dataset.flip,
    )


def run_retrain(
    run: Run, request: Request, dataset: Dataset, on_epoch: OnRetrain
) -> None:
    """Retrain the chosen network, or go on, and write its weights.

    Args:
        run: its folder; a checkpoint in it is gone on from.
        request: what is asked for.
        dataset: train is learned from, val chooses the epoch.
        on_epoch: told of each epoch.

    Raises:
        UsageError: it was begun by another recipe, as that of an older version.
    """
    if run.finished("retrain"):
        return
    settings = retrain_settings(request, dataset)
    stage = Stage(
        "retraining", run.retrain_log, run.retrain_checkpoint, run.command("retrain")
    )
    check_settings(stage, run.read().get("retrain_settings"), settings)
    blueprint = read_blueprint(run)
    data = DeviceData.of(dataset, request.device)
    training = Retraining(blueprint, dataset.task, data=data, settings=settings)
    go_on(training, stage, device=request.device)
    run.mark("retrain", "started")
    run.update(retrain_settings=asdict(settings))
    seconds = run_epochs(
        training, stage, on_epoch=lambda record: on_epoch(record, settings.epochs)
    )
    save_state(
        run.weights,
        {
            "network": {name: t.cpu() for name, t in training.weights.items()},
            "mean": data.normalisation.mean,
            "std": data.normalisation.std,
        },
    )
    if training.best is not None:
        run.update(
            retrain=asdict(training.best)
            | {"epochs": settings.epochs, "retrain_seconds": seconds}
        )
    run.mark("retrain", "finished")


def read_network(run: Run, task: TaskSpec) -> tuple[Classifier, Normalisation]:
    """The retrained network in evaluation mode, and how its images are normalised.

    Raises:
        UsageError: it isn't there yet, or a file is damaged.
    """
    state = load_state(run.weights, run.command("retrain"))
    network = network_with(run, task, state["network"])
    return network, Normalisation(state["mean"], state["std"])


def network_with(run: Run, task: TaskSpec, weights: Mapping[str, Tensor]) -> Classifier:
    """The run's network with some weights of it, in evaluation mode.

    Raises:
        UsageError: its architecture isn't there yet.
    """
    network = build(read_blueprint(run), task)
    network.load_state_dict(weights)
    network.eval()
    return network
