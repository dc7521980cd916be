"""The host: which device computes, with how many threads, and which versions."""

import ctypes
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from zonas_edge import __version__
from zonas_edge.device.runner import cpu_model
from zonas_edge.errors import UsageError

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
"""Parameters of glibc's ``mallopt`` (malloc.h)."""

PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "scikit-learn", "scipy", "pillow")
CODE = ("zonas_edge", "profiles", "benchmarks/*.py")
"""What of a checkout a figure comes from."""


def resolve_device(device: str) -> str:
    """``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UsageError: CUDA is asked for and absent.
    """
    present = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if present else "cpu"
    if device == "cuda" and not present:
        raise UsageError(
            "--device cuda: this machine has no CUDA device that torch can use",
            "--device cpu",
        )
    return device


def prepare(device: str, threads: int | None) -> None:
    """Set what makes a seeded run repeat itself.

    Args:
        device: ``cpu`` or ``cuda``.
        threads: of torch on the CPU; None leaves torch's choice.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "cpu":
        _keep_freed_memory()
    if device == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        # a zeroth-order slope is a difference of two trainings, smaller than TF32 tells
        torch.backends.cudnn.allow_tf32 = False


def _keep_freed_memory() -> None:
    """Have the C library keep the buffers that one step frees for the next.

    Given back to the system, they come back as zeroed pages, one fault each: a tenth of
    a training step. Other C libraries than glibc are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in (
        (_MMAP_THRESHOLD, 1 << 30),
        (_TRIM_THRESHOLD, 2**31 - 1),
        (_TOP_PAD, 1 << 26),
        (_ARENA_MAX, 1),
    ):
        mallopt(parameter, value)


def environment(device: str) -> dict[str, Any]:
    """What the result of a seeded run depends on, apart from its request."""
    facts: dict[str, Any] = {
        "zonas-edge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "commit": commit(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
    }
    return facts | {name: version(name) for name in PACKAGES}


def today() -> str:
    """The date, UTC, as figures are told to be of."""
    return datetime.now(UTC).date().isoformat()


def commit() -> str:
    """The commit that this code is checked out at; ``unknown`` if it is installed.

    ``+changes`` behind it says that code differs from the commit.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # else git might tell of a repository around us
        return "unknown"

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words],  # noqa: S607 - the developer's own git
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", *CODE)
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # no git here, or a copy without its history


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs from the environment that a run was begun in, in words."""
    return [
        f"{key} is {now[key]}, the run was begun with {before[key]}"
        for key in now
        if key in before and before[key] != now[key]
    ]
