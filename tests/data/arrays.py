"""Small arrays in MedMNIST layout; a test changes one thing and names the error."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zonas_edge.data.load import load_dataset
from zonas_edge.errors import ZonasError

Arrays = dict[str, NDArray[Any]]

COUNTS = {"train": 12, "val": 4, "test": 6}


def sound_arrays(
    *, classes: int = 2, side: int = 8, channels: int | None = None
) -> Arrays:
    """Six arrays that are fine, of random pixels and balanced labels; seed 0."""
    rng = np.random.default_rng(0)
    shape = (side, side) if channels is None else (side, side, channels)
    arrays: Arrays = {}
    for split, count in COUNTS.items():
        pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        arrays[f"{split}_images"] = pixels
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8) % classes
    return arrays


def save_npz(path: Path, arrays: Arrays) -> Path:
    # Through a mapping, as mypy takes a ** argument for numpy's allow_pickle.
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(path, **named)
    return path


def refusal(source: str, classes: tuple[str, ...] | None = None) -> ZonasError:
    with pytest.raises(ZonasError) as caught:
        load_dataset(source, classes=classes)
    return caught.value
