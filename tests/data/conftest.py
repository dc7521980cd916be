"""Where the tests of data find a home, and put a file of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.arrays import Arrays, save_npz


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without data, so that no test depends on whose machine this is."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("ZONAS_EDGE_DATA", raising=False)
    return folder


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Arrays], str]:
    """Save arrays as ``own.npz`` in the current folder."""
    monkeypatch.chdir(tmp_path)

    def save(arrays: Arrays) -> str:
        save_npz(tmp_path / "own.npz", arrays)
        return "own.npz"

    return save
