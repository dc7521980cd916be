"""The user's own .npz: what is accepted, and each way in which it can be wrong."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.arrays import Arrays, refusal, save_npz, sound_arrays
from zonas_edge.data import npz
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import DatasetError, UsageError
from zonas_edge.space import TaskSpec


def first_wrong(label: float, dtype: str = "float64") -> NDArray[Any]:
    labels = np.array([0, 1] * 6, dtype=dtype)
    labels[3] = label
    return labels


def test_gray_images_get_one_channel(own: Callable[[Arrays], str]) -> None:
    arrays = sound_arrays()
    dataset = load_dataset(own(arrays))
    assert dataset.task == TaskSpec(1, 8, 8, 2)
    np.testing.assert_array_equal(dataset.train.images[:, 0], arrays["train_images"])
    np.testing.assert_array_equal(dataset.train.labels, arrays["train_labels"])
    np.testing.assert_array_equal(
        dataset.open_test().images[:, 0], arrays["test_images"]
    )


def test_colour_images_get_their_channels_first(own: Callable[[Arrays], str]) -> None:
    arrays = sound_arrays(channels=3)
    dataset = load_dataset(own(arrays))
    assert dataset.task == TaskSpec(3, 8, 8, 2)
    np.testing.assert_array_equal(
        dataset.val.images.transpose(0, 2, 3, 1), arrays["val_images"]
    )


def test_own_data_are_reopened_by_absolute_path_and_not_mirrored(
    own: Callable[[Arrays], str], tmp_path: Path
) -> None:
    dataset = load_dataset(own(sound_arrays()))
    assert (dataset.name, dataset.source) == ("own", str(tmp_path / "own.npz"))
    assert (dataset.flip, dataset.batch_size, dataset.licence) == (
        False,
        None,
        "not stated",
    )
    assert load_dataset("own.npz", flip=True).flip


@pytest.mark.parametrize(
    "dtype", ["uint8", "int32", ">i4", "uint64", "float32", "bool"]
)
def test_labels_are_whole_numbers_of_any_type(
    own: Callable[[Arrays], str], dtype: str
) -> None:
    arrays = sound_arrays()
    changed = {
        key: array[:, np.newaxis].astype(dtype) if "labels" in key else array
        for key, array in arrays.items()
    }
    plain = load_dataset(own(arrays))
    dataset = load_dataset(own(changed))
    assert dataset.train.labels.dtype == np.int64
    assert dataset.sha256 == plain.sha256


def test_names_come_from_the_option_then_the_file_then_numbers(
    own: Callable[[Arrays], str],
) -> None:
    arrays = sound_arrays()
    numbered = load_dataset(own(arrays))
    assert numbered.class_names == ("0", "1")
    assert numbered.notes == ("the 2 classes have no names and are called 0 to 1",)
    named = load_dataset(own(arrays | {"class_names": np.array(["cyst", "solid"])}))
    assert (named.class_names, named.notes) == (("cyst", "solid"), ())
    renamed = load_dataset("own.npz", classes=("a", "b"))
    assert renamed.class_names == ("a", "b")
    assert renamed.notes == (
        "class 0: 'cyst' is called 'a'",
        "class 1: 'solid' is called 'b'",
    )


CHANGES: list[tuple[Arrays, str, str | None]] = [
    (
        {"train_images": np.zeros((12, 8, 8), np.float32)},
        "train_images is float32, not uint8",
        (
            "store pixels as uint8 from 0 to 255; from 0 to 1:"
            " (images * 255).round().astype('uint8')"
        ),
    ),
    (
        {"val_images": np.zeros((4, 8), np.uint8)},
        (
            "val_images has shape (4, 8), not (images, height, width)"
            " or (images, height, width, 1 or 3)"
        ),
        None,
    ),
    (
        {"val_images": np.zeros((4, 3, 8, 8), np.uint8)},
        (
            "val_images has shape (4, 3, 8, 8), not (images, height, width)"
            " or (images, height, width, 1 or 3)"
        ),
        "put the channels last: images.transpose(0, 2, 3, 1)",
    ),
    (
        {"test_images": np.zeros((0, 8, 8), np.uint8)},
        "test_images holds no images",
        None,
    ),
    (
        {"train_images": np.zeros((12, 7, 8), np.uint8)},
        "train_images is 7x8 pixels, sides go from 8 to 224",
        "resize the images first",
    ),
    (
        {"train_images": np.zeros((12, 8, 225), np.uint8)},
        "train_images is 8x225 pixels, sides go from 8 to 224",
        "resize the images first",
    ),
    (
        {"val_images": np.zeros((4, 9, 8), np.uint8)},
        "val_images is 9x8 gray, train_images 8x8 gray",
        None,
    ),
    (
        {"test_images": np.zeros((6, 8, 8, 3), np.uint8)},
        "test_images is 8x8 RGB, train_images 8x8 gray",
        None,
    ),
    (
        {"val_labels": np.zeros(5, np.int64)},
        "val_images holds 4 images, val_labels 5 labels",
        None,
    ),
    (
        {"train_images": np.full((12, 8, 8), 7, np.uint8)},
        "every pixel of train_images is 7, nothing can be learnt",
        None,
    ),
]

LABELS_HINT = "number the classes 0, 1, 2, ... without gaps, one whole number an image"
ONE_HINT = "give one class an image; several at once (multi-label) can't be used"
CLASSES_HINT = "labels go from 0 to the number of classes - 1, all in every split"
LABELS: list[tuple[NDArray[Any], str, str | None]] = [
    (first_wrong(np.nan), "train_labels[3] is nan, not a whole number", LABELS_HINT),
    (first_wrong(np.inf), "train_labels[3] is inf, not a whole number", LABELS_HINT),
    (first_wrong(0.5), "train_labels[3] is 0.5, not a whole number", LABELS_HINT),
    (first_wrong(-1), "train_labels[3] is -1.0, below 0", LABELS_HINT),
    (first_wrong(-1, "int8"), "train_labels[3] is -1, below 0", LABELS_HINT),
    (
        first_wrong(2**63, "uint64"),
        "train_labels[3] is 9223372036854775808, too large for a class",
        LABELS_HINT,
    ),
    (
        np.zeros((12, 3), np.uint8),
        "train_labels has shape (12, 3), not (images,) or (images, 1)",
        ONE_HINT,
    ),
    (
        np.array(0),
        "train_labels has shape (), not (images,) or (images, 1)",
        ONE_HINT,
    ),
    (np.array(["a"] * 12), "train_labels is <U1, not whole numbers", LABELS_HINT),
    (
        first_wrong(10**9, "int64"),
        "class 2 has 0 of at least 2 images in train",
        CLASSES_HINT,
    ),
    (
        np.array([0] * 11 + [1]),
        "class 1 has 1 of at least 2 images in train",
        CLASSES_HINT,
    ),
]


@pytest.mark.parametrize(
    ("change", "what", "hint"),
    CHANGES + [({"train_labels": labels}, what, hint) for labels, what, hint in LABELS],
)
def test_an_unusable_array_is_named_with_its_value(
    own: Callable[[Arrays], str], change: Arrays, what: str, hint: str | None
) -> None:
    error = refusal(own(sound_arrays() | change))
    assert isinstance(error, DatasetError)
    assert (str(error), error.hint) == (f"own.npz: {what}", hint)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_missing_from_a_split_is_named(
    own: Callable[[Arrays], str], split: str
) -> None:
    arrays = sound_arrays() | {"class_names": np.array(["cyst", "solid"])}
    arrays[f"{split}_labels"][:] = 0
    assert str(refusal(own(arrays))) == (
        f"own.npz: class 1 (solid) has 0 of at least 1 images in {split}"
    )


def test_a_single_class_is_no_task(own: Callable[[Arrays], str]) -> None:
    assert str(refusal(own(sound_arrays(classes=1)))) == (
        "own.npz: all labels are 0, at least 2 classes are needed"
    )


@pytest.mark.parametrize("key", ["train_images", "test_labels"])
def test_a_missing_array_is_named(own: Callable[[Arrays], str], key: str) -> None:
    arrays = sound_arrays()
    del arrays[key]
    error = refusal(own(arrays))
    assert (str(error), error.exit_code) == (f"own.npz: without {key}", 7)
    assert error.hint == (
        "save the six arrays: train_images, train_labels, val_images, val_labels,"
        " test_images, test_labels"
    )


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["a", " "], "class names: the name of class 1 is empty"),
        (["a", "a"], "class names: 'a' names two classes"),
        (["a"], "class names: 1 names for 2 classes"),
        (["a", "b\n"], "class names: 'b\\n' has characters that can't be printed"),
        (["a", "b", "c"], "class 2 (c) has 0 of at least 2 images in train"),
        ([1, 2], "class_names is int64 (2,), not a list of text"),
    ],
)
def test_unusable_names_in_the_file_are_a_dataset_error(
    own: Callable[[Arrays], str], names: list[Any], what: str
) -> None:
    error = refusal(own(sound_arrays() | {"class_names": np.array(names)}))
    assert (str(error), error.exit_code) == (f"own.npz: {what}", 7)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("a", "b", "c"), "--classes: 3 names for 2 classes"),
        (("a", ""), "--classes: the name of class 1 is empty"),
        (("a", "a"), "--classes: 'a' names two classes"),
    ],
)
def test_unusable_names_in_the_option_are_a_usage_error(
    own: Callable[[Arrays], str], classes: tuple[str, ...], message: str
) -> None:
    error = refusal(own(sound_arrays()), classes)
    assert isinstance(error, UsageError)
    assert str(error) == message


def test_duplicates_across_splits_are_counted(own: Callable[[Arrays], str]) -> None:
    arrays = sound_arrays() | {"class_names": np.array(["a", "b"])}
    arrays["val_images"][[1, 3]] = arrays["train_images"][0]
    arrays["test_images"][0] = arrays["train_images"][0]
    arrays["test_images"][1] = arrays["val_images"][2]
    assert load_dataset(own(arrays)).notes[0] == (
        "identical images in two splits (train-val 2, train-test 1, val-test 2):"
        " figures on them flatter"
    )


def test_repeats_inside_val_and_test_are_counted(own: Callable[[Arrays], str]) -> None:
    arrays = sound_arrays() | {"class_names": np.array(["a", "b"])}
    labels = arrays["test_labels"].ravel()
    first, *others = np.flatnonzero(labels == labels[0])[:3]
    arrays["test_images"][others] = arrays["test_images"][first]
    arrays["train_images"][1] = arrays["train_images"][0]  # says nothing of figures
    arrays["train_labels"][1] = arrays["train_labels"][0]
    assert load_dataset(own(arrays)).notes == (
        (
            f"images repeated in a split (val 0, test {len(others)}):"
            " intervals are too narrow"
        ),
    )


def test_an_image_under_two_classes_is_told(own: Callable[[Arrays], str]) -> None:
    arrays = sound_arrays() | {"class_names": np.array(["a", "b"])}
    labels = arrays["train_labels"].ravel()
    here, there = (int(np.flatnonzero(labels == label)[0]) for label in (0, 1))
    arrays["train_images"][here] = arrays["train_images"][there]
    assert load_dataset(own(arrays)).notes == (
        "1 image is there under more than one class",
    )


def test_real_cells_are_read(blood_file: Path) -> None:
    dataset = load_dataset(str(blood_file))
    assert dataset.task == TaskSpec(3, 28, 28, 8)
    assert [len(dataset.train), len(dataset.val), dataset.test_count] == [
        11_951,
        1_707,
        3_416,
    ]
    assert dataset.notes == ("the 8 classes have no names and are called 0 to 7",)


def a_bomb(path: Path, key: str, dtype: str, shape: tuple[int, ...]) -> str:
    """A sound file, of one array of which the header alone is there."""
    save_npz(path, {k: v for k, v in sound_arrays().items() if k != key})
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{key}.npy", head.getvalue())
    return str(path)


@pytest.mark.parametrize(
    ("key", "dtype", "shape", "said"),
    [
        ("train_images", "<f8", (6, 200, 200), "train_images is float64, not uint8"),
        ("val_images", "|u1", (6, 2000, 2000), "val_images is 2000x2000 pixels"),
        ("test_labels", "<i8", (6, 3), "test_labels has shape (6, 3)"),
        ("train_labels", "<U9", (6,), "train_labels is <U9, not whole numbers"),
        (
            "train_images",
            "|u1",
            (10**12, 28, 28),
            "train_images: larger than the memory of this machine",
        ),
        (
            "class_names",
            "<U9",
            (10**12,),
            "class_names: larger than the memory of this machine",
        ),
    ],
)
def test_what_the_header_says_is_refused_before_anything_is_unpacked(
    tmp_path: Path, key: str, dtype: str, shape: tuple[int, ...], said: str
) -> None:
    """Were it unpacked, its missing bytes would be told."""
    with pytest.raises(DatasetError) as caught:
        load_dataset(a_bomb(tmp_path / "own.npz", key, dtype, shape))
    assert said in str(caught.value)


def test_an_array_larger_than_the_memory_is_not_unpacked(
    own: Callable[[Arrays], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux would promise the room, and end the program when it is used."""
    file = own(sound_arrays())
    monkeypatch.setattr(npz, "_memory", lambda: 12 * 8 * 8 - 1)
    with pytest.raises(DatasetError, match=r"train_images: larger than the memory"):
        load_dataset(file)
    monkeypatch.setattr(npz, "_memory", lambda: 12 * 8 * 8)
    load_dataset(file)
