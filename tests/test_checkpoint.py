"""Checkpoints come back whole, or are refused in our own words."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.errors import UsageError
from zonas_edge.pipeline.checkpoint import load_state, save_state

AGAIN = "zonas-edge retrain one"
WEIGHTS = torch.arange(6.0)
STATE = {"epoch": 3, "weights": WEIGHTS}


def saved() -> bytes:
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    return buffer.getvalue()


SAVED = saved()


def refusal(file: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_state(file, AGAIN)
    assert caught.value.hint == AGAIN
    return str(caught.value)


def test_a_state_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "search.ckpt"
    save_state(file, STATE)
    found = load_state(file, AGAIN)
    assert found["epoch"] == 3
    assert torch.equal(found["weights"], WEIGHTS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"torn",
        b"version https://git-lfs.github.com/spec/v1\n",
        bytes(1000),
        SAVED[:-40],
        b"\x80\x02cos\nsystem\n.",  # a pickle that would run something
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "search.ckpt"
    file.write_bytes(content)
    assert refusal(file) == f"{file}: damaged, no checkpoint of ours"


def test_a_state_that_is_no_mapping_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "search.ckpt"
    torch.save([1, 2], file)
    assert refusal(file) == f"{file}: damaged, no checkpoint of ours"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.ckpt") == f"{tmp_path}/none.ckpt: no such file"


@given(place=st.integers(0, len(SAVED) - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    file = tmp_path_factory.mktemp("changed") / "search.ckpt"
    file.write_bytes(SAVED[:place] + bytes([value]) + SAVED[place + 1 :])
    with suppress(UsageError):
        load_state(file, AGAIN)
