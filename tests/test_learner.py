"""A network that learns, step by step, by the recipe."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.test_retrain import ARCHITECTURE, TASK, stripes
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.learner import Learner, Recipe, averaged_weights, default_batch, mix

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


@given(seed=st.integers(0, 10_000), probability=st.sampled_from([0.0, 0.5, 1.0]))
def test_mixing_keeps_every_pixel_between_an_image_and_its_partner(
    seed: int, probability: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(5, 1, 6, 7, generator=generator)
    mixed, partner, share = mix(images, generator, probability)
    assert 0 <= share <= 1
    assert sorted(partner.tolist()) == list(range(5))
    low = torch.minimum(images, images[partner]) - 1e-6
    high = torch.maximum(images, images[partner]) + 1e-6
    assert bool(((mixed >= low) & (mixed <= high)).all())
    if probability == 0:
        assert torch.equal(mixed, images)
        assert share == 1


def test_the_share_of_a_cut_is_the_share_of_its_pixels() -> None:
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        images = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 6, 6).contiguous()
        mixed, partner, share = mix(images, generator, 1.0)
        binary = bool(((mixed == 0) | (mixed == 1)).all())
        if binary and partner.tolist() == [1, 0]:
            own = (mixed[0] == images[0]).double().mean().item()
            assert math.isclose(own, share)


@pytest.mark.parametrize(
    ("images", "batch"), [(2, 2), (40, 2), (546, 32), (4_708, 128), (100_000, 128)]
)
def test_the_batch_gives_sixteen_steps_where_it_can(images: int, batch: int) -> None:
    assert default_batch(images) == batch
