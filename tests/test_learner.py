"""A network that learns, step by step, by the recipe."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_retrain import ARCHITECTURE, TASK, stripes
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.learner import Learner, Recipe, averaged_weights, default_batch

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
    ("images", "batch"), [(2, 2), (40, 2), (546, 32), (4_708, 128), (100_000, 128)]
)
def test_the_batch_gives_sixteen_steps_where_it_can(images: int, batch: int) -> None:
    assert default_batch(images) == batch
