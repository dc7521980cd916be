"""Tensors: normalisation, augmentation and halves, as properties of random draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    crop_padding,
    epoch_order,
    stratified_halves,
    stratified_sample,
)
from zonas_edge.data.dataset import Split


def images_of(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Random pixels from 1 to 255 (0 is what a crop lets in); seed 0."""
    draw = torch.Generator().manual_seed(0)
    shape = (count, channels, height, width)
    return torch.randint(1, 256, shape, generator=draw).to(torch.uint8)


def small_split() -> Split:
    labels = np.arange(5, dtype=np.int64) % 2
    return Split(images_of(5, 3, 9, 8).numpy(), labels)


sizes = st.tuples(
    st.integers(1, 6), st.sampled_from([1, 3]), st.integers(8, 15), st.integers(8, 15)
)


def test_a_split_is_copied_to_the_device_and_taken_by_places() -> None:
    split = small_split()
    moved = DeviceSplit.of(split)
    assert len(moved) == 5
    np.testing.assert_array_equal(moved.images.numpy(), split.images)
    part = moved.take(torch.tensor([4, 0]))
    np.testing.assert_array_equal(part.images.numpy(), split.images[[4, 0]])
    np.testing.assert_array_equal(part.labels.numpy(), split.labels[[4, 0]])
    np.testing.assert_array_equal(moved.take(np.array([4, 0])).images, part.images)


def test_normalised_images_have_mean_zero_and_deviation_one() -> None:
    split = small_split()
    normalisation = Normalisation.of(split)
    pixels = split.images / 255
    assert normalisation.mean == pytest.approx(pixels.mean(), rel=1e-12)
    assert normalisation.std == pytest.approx(pixels.std(), rel=1e-12)
    applied = normalisation.apply(DeviceSplit.of(split).images)
    assert applied.dtype == torch.float32
    assert float(applied.mean()) == pytest.approx(0, abs=1e-5)
    assert float(applied.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_constant_images_cannot_be_normalised() -> None:
    blank = Split(np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"std is 0\.0, not above 0"):
        Normalisation.of(blank)


@pytest.mark.parametrize(
    ("height", "width", "padding"),
    [(8, 8, 1), (28, 28, 4), (28, 64, 4), (224, 224, 32)],
)
def test_a_crop_shifts_by_a_seventh_of_the_shorter_side(
    height: int, width: int, padding: int
) -> None:
    assert crop_padding(height, width) == padding


@bounded(max_examples=20)
@given(sizes, st.integers(0, 3), st.booleans(), st.integers(0, 2**31))
def test_an_augmented_image_is_a_shift_of_its_original_or_of_its_mirror_image(
    size: tuple[int, int, int, int], padding: int, flip: bool, seed: int
) -> None:
    """Found by trying them all; all channels of an image move together."""
    images = images_of(*size)
    before = images.clone()
    draw = torch.Generator().manual_seed(seed)
    moved = augment(images, draw, padding=padding, flip=flip)
    assert (moved.shape, moved.dtype) == (images.shape, torch.uint8)
    torch.testing.assert_close(images, before)
    height, width = size[2:]
    for original, result in zip(images, moved, strict=True):
        padded = torch.nn.functional.pad(original, (padding,) * 4)
        crops = [
            padded[:, down : down + height, right : right + width]
            for down in range(2 * padding + 1)
            for right in range(2 * padding + 1)
        ]
        allowed = crops + ([crop.flip(2) for crop in crops] if flip else [])
        assert any(torch.equal(result, crop) for crop in allowed)


def test_without_padding_and_mirroring_nothing_changes() -> None:
    images = images_of(4, 3, 9, 8)
    draw = torch.Generator().manual_seed(0)
    assert torch.equal(augment(images, draw, padding=0, flip=False), images)


def test_about_half_of_the_images_are_mirrored_and_shifts_are_uniform() -> None:
    """400 draws; 4 standard deviations. One white column tells where it went."""
    images = torch.zeros((400, 1, 8, 8), dtype=torch.uint8)
    images[..., 2] = 9
    draw = torch.Generator().manual_seed(0)
    moved = augment(images, draw, padding=0, flip=True)
    assert abs(int((moved[:, 0, 0, 5] == 9).sum()) - 200) < 40
    moved = augment(images, draw, padding=1, flip=False)
    places = moved[:, 0].amax(1).argmax(1)
    counts = torch.bincount(places, minlength=8)
    assert counts.sum() == counts[1:4].sum() == 400
    assert (counts[1:4] - 400 / 3).abs().max() < 38


def test_the_same_seed_gives_the_same_augmentation() -> None:
    images = images_of(8, 1, 28, 28)
    first, second = (
        augment(images, torch.Generator().manual_seed(3), padding=4, flip=True)
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.gpu
def test_a_gpu_sees_the_same_batches_as_the_cpu() -> None:
    images = images_of(64, 3, 28, 28)
    here, there = (
        augment(
            images.to(device), torch.Generator().manual_seed(3), padding=4, flip=True
        )
        for device in ("cpu", "cuda")
    )
    assert there.device.type == "cuda"
    assert torch.equal(here, there.cpu())
    split = DeviceSplit.of(small_split(), "cuda")
    order = epoch_order(5, torch.Generator().manual_seed(0))
    assert torch.equal(split.take(order).labels.cpu(), split.labels.cpu()[order])


@given(st.integers(1, 50), st.integers(0, 2**31))
def test_an_epoch_sees_every_image_once(count: int, seed: int) -> None:
    order = epoch_order(count, torch.Generator().manual_seed(seed))
    assert sorted(order.tolist()) == list(range(count))


@given(st.lists(st.integers(2, 9), min_size=1, max_size=6), st.integers(0, 2**31))
def test_halves_are_disjoint_complete_and_as_even_as_can_be(
    counts: list[int], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(seed).permutation(labels)
    first, second = stratified_halves(labels, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert list(first) == sorted(first)
    assert list(second) == sorted(second)
    assert abs(len(first) - len(second)) <= 1
    for label in range(len(counts)):
        in_first = int((labels[first] == label).sum())
        in_second = int((labels[second] == label).sum())
        assert abs(in_first - in_second) <= 1
        assert min(in_first, in_second) >= 1


def test_halves_depend_on_the_seed_alone() -> None:
    labels = np.arange(40) % 4
    one, same, other = (
        stratified_halves(labels, np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_class_with_one_image_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="class 1 has a single image, halves need 2"):
        stratified_halves(np.array([0, 0, 1]), np.random.default_rng(0))


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=6),
    st.integers(1, 100),
    st.integers(0, 2**31),
)
def test_a_sample_has_each_class_by_its_share_and_what_it_needs_at_least(
    counts: list[int], images: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    places = stratified_sample(labels, images, np.random.default_rng(seed), least=2)
    assert list(places) == sorted(set(places))
    for label, count in enumerate(counts):
        share = count * images / len(labels)
        taken = int((labels[places] == label).sum())
        assert min(count, max(2, share)) <= taken <= max(2, share + 1)
