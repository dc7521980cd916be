"""The user's own ``.npz`` in MedMNIST layout, opened as a file from a stranger.

Arrays are never unpickled: loading a pickle runs whatever code its author wrote. What a
damaged or hostile file makes zipfile, zlib and numpy raise is told as one clear error.
"""

import io
import math
import os
import sys
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.canonical import check_images, check_labels
from zonas_edge.data.dataset import SPLITS, Dataset
from zonas_edge.errors import DatasetError, reason_of

KEYS: tuple[str, ...] = tuple(
    f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels")
)
_NAMES_KEY = "class_names"
_MAGIC = b"\x93NUMPY"
_HEAD_BYTES = 2**15
"""More than the longest header that numpy reads."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    EOFError,
    NotImplementedError,  # a compression or zip version that zipfile doesn't know
    RuntimeError,  # an encrypted member; RecursionError from a nested header
    OSError,
    ValueError,
    TypeError,  # a header whose fields have other types
    KeyError,
    SyntaxError,
    OverflowError,
)
"""What reading a damaged member was seen to raise, or is documented to."""


def read_npz(path: Path, where: str) -> dict[str, NDArray[Any]]:
    """Read the six arrays, and ``class_names`` where it is there.

    Args:
        path: an existing file.
        where: what to call it in an error.

    Raises:
        DatasetError: the file can't be opened, is damaged, lacks an array, or one is
            of another kind than it should be, or larger than the memory.
    """
    with _stream(path, where) as stream, _archive(stream, where) as archive:
        missing = [key for key in KEYS if key not in archive.files]
        if missing:
            raise DatasetError(
                f"{where}: without {', '.join(missing)}",
                f"save the six arrays: {', '.join(KEYS)}",
            )
        wanted = (*KEYS, *({_NAMES_KEY} & set(archive.files)))
        return {key: _read(archive, key, where) for key in wanted}


def load_npz(
    path: Path, where: str, *, flip: bool, classes: tuple[str, ...] | None
) -> Dataset:
    """Load the user's own data.

    Args:
        path: an existing ``.npz``.
        where: what to call it in an error.
        flip: whether the user says that a mirrored image keeps its class.
        classes: class names that the user gave, or None.

    Raises:
        DatasetError: see `read_npz` and `build_dataset`.
        UsageError: ``classes`` don't fit the data.
    """
    arrays = read_npz(path, where)
    origin = Origin(where=where, name=path.stem, source=str(path.absolute()), flip=flip)
    names = _names(arrays.pop(_NAMES_KEY, None), where)
    return build_dataset(arrays, origin, own_names=names, classes=classes)


def _stream(path: Path, where: str) -> BinaryIO:
    # Opened here and not by numpy, which leaves a broken file open.
    try:
        return path.open("rb")
    except OSError as error:
        raise DatasetError(f"{where}: {reason_of(error)}") from error


def _archive(stream: BinaryIO, where: str) -> NpzFile:
    try:
        opened = np.load(stream, allow_pickle=False)
    except MemoryError as error:
        raise _too_large(where) from error
    except _DAMAGED as error:
        raise DatasetError(
            f"{where}: not an .npz file, or a truncated one",
            "copy or download it again",
        ) from error
    if not isinstance(opened, NpzFile):
        raise DatasetError(f"{where}: one .npy array, not an .npz file with six")
    return opened


def _read(archive: NpzFile, key: str, where: str) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            # A damaged header makes numpy and Python's parser warn before they fail.
            warnings.simplefilter("ignore")
            _check_header(archive, key, f"{where}: {key}")
            array = archive[key]
    except MemoryError as error:
        raise _too_large(f"{where}: {key}") from error
    except _DAMAGED as error:
        # numpy has no type of its own for this refusal.
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{where}: {key} holds pickled objects, which are never loaded",
                f"save it as a plain array: {key}.astype('uint8')"
                if key != _NAMES_KEY
                else "save it as text: np.array(names, dtype=str)",
            ) from error
        raise DatasetError(
            f"{where}: {key} is damaged", "copy or download the file again"
        ) from error
    return array


def _check_header(archive: NpzFile, key: str, where: str) -> None:
    """Refuse a member by its header; a few bytes may unpack to more than there is.

    Raises:
        DatasetError: it is no array, of another kind than it should be, or too large.
        Exception: one of ``_DAMAGED``.
    """
    members: zipfile.ZipFile = archive.zip  # type: ignore[assignment] # until closed
    name = key if key in members.namelist() else f"{key}.npy"
    with members.open(name) as member:
        head = io.BytesIO(member.read(_HEAD_BYTES))
    if not head.getvalue().startswith(_MAGIC):
        raise DatasetError(f"{where} is not an array")
    if np.lib.format.read_magic(head) == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    else:  # a third version is only for names of fields, which no array here has
        shape, _, dtype = np.lib.format.read_array_header_2_0(head)
    if dtype.hasobject:
        return  # refused by numpy, in words that are known
    if key.endswith("_images"):
        check_images(dtype, shape, where)
    elif key.endswith("_labels"):
        check_labels(dtype, shape, where)
    if dtype.itemsize * math.prod(shape) > _memory():
        raise _too_large(where)


def _memory() -> int:
    """Bytes of this machine's memory, or more than there can be where it isn't told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def _too_large(where: str) -> DatasetError:
    return DatasetError(f"{where}: larger than the memory of this machine")


def _names(names: NDArray[Any] | None, where: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DatasetError(
            f"{where}: class_names is {names.dtype} {names.shape}, not a list of text",
            "save it as text: np.array(names, dtype=str)",
        )
    return tuple(str(name) for name in names)
