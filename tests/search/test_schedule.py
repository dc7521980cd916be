"""The schedules by progress, and that a shorter search is the same search."""

import math

import pytest

from zonas_edge.search.schedule import Schedule
from zonas_edge.search.settings import SearchSettings, default_batch

TAU = (1.5, 1.125, 0.8438, 0.6328, 0.4746, 0.3560, 0.2670, 0.2002, 0.1502, 0.1126)


@pytest.mark.parametrize("epoch", range(50))
def test_the_published_temperatures_hold_for_every_epoch(epoch: int) -> None:
    found = Schedule().temperature_at(epoch / 50)
    assert found == pytest.approx(TAU[epoch // 5], abs=5e-5)


@pytest.mark.parametrize("epoch", range(50))
def test_sizes_are_searched_from_epoch_20_of_50(epoch: int) -> None:
    assert Schedule().sizes_at(epoch / 50) is (epoch >= 20)


@pytest.mark.parametrize("epoch", range(50))
def test_the_published_learning_rate_holds_for_every_epoch(epoch: int) -> None:
    found = Schedule(rate=0.1).rate_at(epoch / 50)
    exactly = 0.001 + 0.099 * (1 + math.cos(math.pi * epoch / 50)) / 2
    assert found == pytest.approx(exactly, rel=1e-12)


@pytest.mark.parametrize("epoch", range(25))
def test_half_the_epochs_give_the_same_schedule_by_progress(epoch: int) -> None:
    schedule = Schedule()
    for read in (schedule.temperature_at, schedule.sizes_at, schedule.rate_at):
        assert read(epoch / 25) == read(2 * epoch / 50)


def test_the_rate_ends_at_the_final_one() -> None:
    assert Schedule().rate_at(0.0) == 0.025
    assert Schedule().rate_at(1.0) == pytest.approx(0.001, rel=1e-12)


def test_the_paper_s_settings_are_the_published_ones() -> None:
    found = SearchSettings.of(
        "zo-darts++-paper", epochs=50, batch_size=64, seed=1, flip=True
    )
    assert found.method.schedule.rate == 0.1
    assert found.method.alpha_rate == 0.015
    assert found.method.alpha_betas == (0.5, 0.999)
    assert found.method.alpha_decay == 1e-3
    assert found.method.inner_steps == 10


def test_the_hybrid_s_settings_have_no_decay_of_alpha() -> None:
    found = SearchSettings.of("zo-darts++", epochs=50, batch_size=64, seed=1, flip=True)
    assert found.method.schedule.rate == 0.025
    assert found.method.alpha_rate == 0.01
    assert found.method.alpha_decay == 0


@pytest.mark.parametrize(
    ("images", "published", "size"),
    [
        (10_000, None, 64),
        (1024, None, 64),
        (1023, None, 32),
        (273, None, 16),
        (16, None, 1),
        (3, None, 1),
        (273, 128, 128),
        (50, 128, 50),
    ],
)
def test_the_batch_leaves_at_least_16_steps_unless_published(
    images: int, published: int | None, size: int
) -> None:
    assert default_batch(images, 28 * 28, published) == size


@pytest.mark.parametrize(
    ("side", "published", "size"),
    [
        (32, None, 64),
        (33, None, 32),
        (64, None, 16),
        (128, None, 4),
        (224, None, 4),
        (28, 512, 512),
        (64, 512, 128),
        (224, 512, 8),
        (224, 2, 2),
    ],
)
def test_large_images_come_in_smaller_batches(
    side: int, published: int | None, size: int
) -> None:
    assert default_batch(10_000, side**2, published) == size
