"""The values: private test split, read-only arrays, a hash of the content."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.arrays import sound_arrays
from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.dataset import Dataset, Split
from zonas_edge.data.load import load_dataset
from zonas_edge.data.sample import COUNTS
from zonas_edge.space import TaskSpec


def built(
    arrays: dict[str, NDArray[Any]], names: tuple[str, ...] = ("a", "b")
) -> Dataset:
    origin = Origin(where="own", name="own", source="/own.npz")
    return build_dataset(arrays, origin, own_names=names)


@pytest.mark.parametrize("key", list(sound_arrays()))
def test_the_hash_changes_with_one_value_of_any_array(key: str) -> None:
    changed = sound_arrays()
    # Swapping two rows keeps every class as often as it was.
    changed[key][[0, 1]] = changed[key][[1, 0]]
    assert built(changed).sha256 != built(sound_arrays()).sha256


@pytest.mark.parametrize("key", list(sound_arrays()))
def test_what_a_choice_may_depend_on_holds_no_test_image(key: str) -> None:
    changed = sound_arrays()
    changed[key][[0, 1]] = changed[key][[1, 0]]
    one, other = built(sound_arrays()), built(changed)
    assert (one.learning_hash() == other.learning_hash()) == key.startswith("test_")


def test_the_hash_changes_with_a_class_name() -> None:
    named, renamed = (built(sound_arrays(), ("a", last)) for last in "bc")
    assert named.sha256 != renamed.sha256


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert load_dataset("digits").sha256 == (
        "e0bcdc7e14821548d425fe37cb0cb409edcbb8f92055dba3aef614e57d3ad788"
    )


def test_arrays_of_a_split_are_read_only_and_the_callers_are_not() -> None:
    images, labels = np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.int64)
    split = Split(images, labels)
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 1
    images[0] = labels[0] = 1


def test_a_split_of_another_form_is_the_callers_mistake() -> None:
    images, labels = np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match=r"images are float64 \(2, 1, 8, 8\)"):
        Split(images.astype(np.float64), labels)
    with pytest.raises(ValueError, match=r"labels are int64 \(3,\), not int64 \(2,\)"):
        Split(images, np.zeros(3, np.int64))


def test_the_test_split_does_not_show_in_the_representation() -> None:
    assert "_test" not in repr(built(sound_arrays()))


def test_the_sample_has_a_fixed_stratified_split() -> None:
    dataset = load_dataset("digits")
    assert dataset.task == TaskSpec(1, 28, 28, 10)
    test = dataset.open_test()
    assert (len(dataset.train), len(dataset.val), len(test)) == COUNTS
    for split, share in ((dataset.train, 0.7), (dataset.val, 0.1), (test, 0.2)):
        counts = np.bincount(split.labels, minlength=10) / 179.7
        assert np.abs(counts - share).max() < 0.03
    assert dataset.train.images.max() == 255
    assert (dataset.source, dataset.licence, dataset.flip, dataset.notes) == (
        "digits",
        "CC BY 4.0",
        False,
        (),
    )


def test_loading_data_imports_neither_torch_nor_scikit_learn() -> None:
    program = (
        "import sys, zonas_edge.data.load;"
        "print({'torch', 'sklearn', 'torchvision'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("set()\n", "")
