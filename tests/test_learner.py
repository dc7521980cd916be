"""A network that learns, step by step, by the recipe."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_retrain import ARCHITECTURE, TASK, stripes
from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    crop_padding,
)
from zonas_edge.learner import Learner, Recipe, averaged_weights, default_batch
from zonas_edge.nn.build import build
from zonas_edge.seed import derived_seed

SPLIT = stripes(36, 1)
"""Four batches of eight, and four images that are passed over."""


def learner(steps: int, seed: int = 0, **changes: Any) -> Learner:
    return Learner(
        ARCHITECTURE,
        TASK,
        train=DeviceSplit.of(SPLIT),
        normalisation=Normalisation.of(SPLIT),
        recipe=Recipe(batch_size=8, seed=seed, flip=False, **changes),
        steps=steps,
    )


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_steps_in_pieces_are_the_steps_in_one_go() -> None:
    whole, pieces = learner(10), learner(10)
    whole.learn(10)
    for steps in (3, 5, 2):
        pieces.learn(steps)
    assert equal(whole.weights(), pieces.weights())


def test_a_step_is_that_of_a_textbook_loop() -> None:
    """AdamW, decay of kernels alone, a cosine, and smoothed labels, written out."""
    learning, steps = learner(5), 5
    network = build(
        ARCHITECTURE,
        TASK,
        torch.Generator().manual_seed(derived_seed(0, "retrain weights")),
    )
    draw = torch.Generator().manual_seed(derived_seed(0, "retrain"))
    mean, std = SPLIT.images.mean() / 255, SPLIT.images.std() / 255
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight], "weight_decay": 0.05 if weight.ndim > 1 else 0.0}
            for weight in network.parameters()
        ]
    )
    order = torch.empty(0, dtype=torch.int64)
    for step in range(1, steps + 1):
        if len(order) < 8:
            order = torch.randperm(len(SPLIT), generator=draw)
        batch, order = order[:8], order[8:]
        height, width = SPLIT.images.shape[2:]
        moved = augment(
            torch.tensor(SPLIT.images)[batch],
            draw,
            padding=crop_padding(height, width),
            flip=False,
        )
        log_probabilities = network((moved / 255 - mean) / std).log_softmax(1)
        own = torch.nn.functional.one_hot(torch.tensor(SPLIT.labels)[batch])
        target = 0.9 * own + 0.1 / own.shape[1]
        loss = -(target * log_probabilities).sum(1).mean()
        for group in optimizer.param_groups:
            done = (step / steps - 0.05) / 0.95
            group["lr"] = 3e-3 * (1 + math.cos(math.pi * done)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert learning.learn(1) == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("stopped", [1, 4, 7])
def test_a_state_within_a_pass_goes_on_to_the_same_bits(stopped: int) -> None:
    whole, broken, resumed = (learner(10) for _ in range(3))
    whole.learn(10)
    broken.learn(stopped)
    resumed.load_state_dict(broken.state_dict())
    resumed.learn(10 - stopped)
    assert equal(whole.weights(), resumed.weights())


def test_every_image_of_full_batches_is_seen_once_a_pass() -> None:
    learning = learner(8)
    seen = [learning._next_batch() for _ in range(8)]  # noqa: SLF001 - the order is the claim
    for each in (torch.cat(seen[:4]), torch.cat(seen[4:])):
        assert len(each) == len(set(each.tolist())) == 32
    assert not torch.equal(torch.cat(seen[:4]), torch.cat(seen[4:]))


def test_the_average_reaches_back_as_far_as_its_horizon() -> None:
    """With a horizon of one step it is the network itself, with all steps the mean."""
    latest, mean = learner(6, average=1e-9), learner(6, average=1.0)
    known: list[dict[str, Tensor]] = []
    for _ in range(6):
        latest.learn(1)
        mean.learn(1)
        state = latest.state_dict()
        known.append({name: value.clone() for name, value in state["network"].items()})
        assert equal(latest.weights(), known[-1])
    for name, value in averaged_weights(mean.state_dict()).items():
        expected = torch.stack([state[name].double() for state in known]).mean(0)
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected, atol=1e-6, rtol=1e-5)


def test_norms_and_biases_do_not_decay() -> None:
    groups = learner(1)._optimizer.param_groups  # noqa: SLF001 - its decay is the claim
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(weight.ndim > 1 for weight in groups[0]["params"])
    assert all(weight.ndim == 1 for weight in groups[1]["params"])


def test_the_rate_rises_then_falls_along_a_cosine() -> None:
    recipe = Recipe(batch_size=1, seed=0, flip=False)
    assert recipe.rate_at(0.0) == 0
    assert recipe.rate_at(0.025) == pytest.approx(0.0015)
    assert recipe.rate_at(0.05) == pytest.approx(0.003)
    assert recipe.rate_at(0.05 + 0.95 / 2) == pytest.approx(0.0015)
    assert recipe.rate_at(1.0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("images", "batch"),
    [
        (2, 2),
        (40, 2),
        (511, 16),
        (512, 32),
        (4_708, 32),
        (64 * 256 - 1, 32),
        (64 * 256, 64),
        (100_000, 128),
    ],
)
def test_the_batch_gives_many_steps_and_a_small_set_sixteen(
    images: int, batch: int
) -> None:
    assert default_batch(images, 28 * 28) == batch


def test_the_batch_of_many_large_images_is_the_usual_one() -> None:
    assert default_batch(100_000, 64 * 64) == 32
    assert default_batch(100_000, 32 * 32) == 128
    assert default_batch(511, 224 * 224) == 16
