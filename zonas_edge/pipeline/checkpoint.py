"""Checkpoints: a step's whole state on the disk, replaced as one file.

Only tensors, numbers, strings and containers of them are written, and nothing else is
ever read back (``weights_only``).
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from zonas_edge.artifact import write_bytes
from zonas_edge.errors import UsageError


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state whole, or leave the old file as it was."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Read what ``save_state`` wrote.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "run the step before again") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _damaged(path, error) from None
    except pickle.UnpicklingError as error:  # also what weights_only refuses
        raise _damaged(path, error) from None
    return state


def _damaged(path: Path, error: Exception) -> UsageError:
    reason = str(error).strip().splitlines()
    return UsageError(
        f"{path}: damaged ({reason[0] if reason else type(error).__name__})",
        "run the step that wrote it again without --resume",
    )
