"""Checkpoints: a step's whole state on the disk, replaced as one file.

Only tensors, numbers, strings and containers of them are written, and nothing else is
ever read back (``weights_only``).
"""

import io
from pathlib import Path
from typing import Any

import torch

from zonas_edge.artifact import write_bytes
from zonas_edge.artifact.files import plain_errors
from zonas_edge.errors import UsageError


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state whole, or leave the old file as it was."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, again: str, device: str = "cpu") -> dict[str, Any]:
    """Read what ``save_state`` wrote.

    Args:
        path: of the file.
        again: what makes it again, the hint where it can't be read.
        device: where its tensors go.

    Raises:
        UsageError: the file is missing or damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file", again)
    with plain_errors(path):
        content = path.read_bytes()
    damaged = UsageError(f"{path}: damaged, no checkpoint of ours", again)
    try:
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except Exception as error:
        # of a damaged file torch says anything, also that one should trust it
        raise damaged from error
    if not isinstance(state, dict):
        raise damaged
    return state
