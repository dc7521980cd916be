"""A damaged or hostile .npz: one clear error, and nothing in it is ever run."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from tests.data.arrays import Arrays, refusal, sound_arrays
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import DatasetError


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("val_labels", "save it as a plain array: val_labels.astype('uint8')"),
        ("class_names", "save it as text: np.array(names, dtype=str)"),
    ],
)
def test_pickled_objects_are_refused_and_not_loaded(
    own: Callable[[Arrays], str], tmp_path: Path, key: str, hint: str
) -> None:
    bombs = np.array([Bomb(tmp_path / "ran")] * 4, dtype=object)
    error = refusal(own(sound_arrays() | {key: bombs}))
    assert (str(error), error.hint) == (
        f"own.npz: {key} holds pickled objects, which are never loaded",
        hint,
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kept", [0, 3, 100, -30, -1])
def test_a_truncated_file_is_refused(
    own: Callable[[Arrays], str], tmp_path: Path, kept: int
) -> None:
    whole = (tmp_path / own(sound_arrays())).read_bytes()
    (tmp_path / "own.npz").write_bytes(whole[:kept])
    error = refusal("own.npz")
    assert str(error) == "own.npz: not an .npz file, or a truncated one"
    assert error.hint == "copy or download it again"


def test_a_damaged_array_is_named(own: Callable[[Arrays], str], tmp_path: Path) -> None:
    content = bytearray((tmp_path / own(sound_arrays())).read_bytes())
    place = content.index(b"val_images.npy") + 100
    content[place : place + 8] = bytes(8)
    (tmp_path / "own.npz").write_bytes(content)
    assert str(refusal("own.npz")) == "own.npz: val_images is damaged"


def test_a_header_that_asks_for_too_much_memory_is_refused(
    own: Callable[[Arrays], str], tmp_path: Path
) -> None:
    own(sound_arrays())
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 8, 8)}" % 2**50
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "own.npz") as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as changed:
        for name, content in members.items():
            changed.writestr(name, member if name == "train_images.npy" else content)
    assert str(refusal("own.npz")) == (
        "own.npz: train_images: larger than the memory of this machine"
    )


def test_a_member_that_is_no_array_is_named(
    own: Callable[[Arrays], str], tmp_path: Path
) -> None:
    arrays = sound_arrays()
    del arrays["val_labels"]
    own(arrays)
    with zipfile.ZipFile(tmp_path / "own.npz", "a") as archive:
        archive.writestr("val_labels.npy", "0,1,0,1")
    assert str(refusal("own.npz")) == "own.npz: val_labels is not an array"


def test_a_single_array_is_no_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "own.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert str(refusal("own.npz")) == (
        "own.npz: one .npy array, not an .npz file with six"
    )


@bounded(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_a_damaged_file_never_raises_anything_but_an_error_for_the_user(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[float, int]],
    kept: float,
) -> None:
    """An uncompressed file, so that array headers are hit as well as the archive."""
    folder = tmp_path_factory.mktemp("damaged")
    named: dict[str, Any] = dict(sound_arrays())
    np.savez(folder / "own.npz", **named)
    content = bytearray((folder / "own.npz").read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    length = len(content) if kept > 0.2 else int(kept * 5 * len(content))
    (folder / "own.npz").write_bytes(content[:length])
    try:
        dataset = load_dataset(str(folder / "own.npz"))
    except DatasetError:
        return
    assert isinstance(dataset, Dataset)
