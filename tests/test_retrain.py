"""Retraining learns, chooses its epoch on val, and goes on where it stopped."""

from typing import Any

import numpy as np
import pytest
import torch

from zonas_edge.architecture import Architecture, Stage
from zonas_edge.data.batches import DeviceData, DeviceSplit, Normalisation
from zonas_edge.data.dataset import Split
from zonas_edge.retrain import Retraining, RetrainRecord, RetrainSettings
from zonas_edge.space import Op, TaskSpec

TASK = TaskSpec(1, 8, 8, 2)
SMALL = Stage(
    operations=(Op.NONE, Op.NONE, Op.NONE, Op.CONV, Op.NONE, Op.NONE),
    kernels=(None, None, None, 3, None, None),
    depth=1,
)
ARCHITECTURE = Architecture(channels=4, stages=(SMALL, SMALL, SMALL))


def stripes(count: int, seed: int) -> Split:
    """Horizontal stripes are class 0, vertical ones class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 2
    wave = np.where(np.arange(8) % 2 == 0, 200, 40)
    images = np.stack(
        [
            np.tile(wave[:, None], (1, 8)) if label == 0 else np.tile(wave, (8, 1))
            for label in labels
        ]
    )
    noisy = images + rng.integers(-30, 30, images.shape)
    return Split(noisy.astype(np.uint8)[:, None], labels)


def some_data(device: str) -> DeviceData:
    train, val = stripes(32, 1), stripes(16, 2)
    return DeviceData(
        DeviceSplit.of(train, device),
        DeviceSplit.of(val, device),
        Normalisation.of(train),
    )


def retraining(epochs: int, seed: int = 0, **changes: Any) -> Retraining:
    return Retraining(
        ARCHITECTURE,
        TASK,
        data=some_data("cpu"),
        settings=RetrainSettings(
            epochs=epochs, batch_size=8, seed=seed, flip=False, **changes
        ),
    )


def finish(training: Retraining) -> list[RetrainRecord]:
    records = []
    while not training.finished:
        records.append(training.run_epoch())
    return records


def test_it_learns_what_can_be_learnt() -> None:
    records = finish(retraining(12))
    assert records[-1].val_accuracy == 1.0
    assert records[-1].val_loss < records[0].val_loss


def test_the_epoch_with_the_lowest_val_loss_is_kept() -> None:
    training = retraining(6)
    records = finish(training)
    assert training.best is not None
    assert training.best.val_loss == min(record.val_loss for record in records)
    assert records[-1].best_epoch == training.best.epoch


def test_the_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    first, second, other = retraining(2), retraining(2), retraining(2, seed=1)
    for training in (first, second, other):
        finish(training)
    assert all(
        torch.equal(value, second.weights[name])
        for name, value in first.weights.items()
    )
    assert not all(
        torch.equal(value, other.weights[name]) for name, value in first.weights.items()
    )


@pytest.mark.parametrize("stopped", [1, 2, 3])
def test_a_resumed_retraining_ends_with_the_same_bits(stopped: int) -> None:
    whole = retraining(4)
    records = finish(whole)
    broken = retraining(4)
    for _ in range(stopped):
        broken.run_epoch()
    state = broken.state_dict()
    resumed = retraining(4)
    resumed.load_state_dict(state)
    assert finish(resumed) == records[stopped:]
    assert all(
        torch.equal(value, resumed.weights[name])
        for name, value in whole.weights.items()
    )


@pytest.mark.gpu
def test_retraining_learns_on_cuda() -> None:
    training = Retraining(
        ARCHITECTURE,
        TASK,
        data=some_data("cuda"),
        settings=RetrainSettings(epochs=12, batch_size=8, seed=0, flip=False),
    )
    assert finish(training)[-1].val_accuracy == 1.0
