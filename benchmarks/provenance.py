"""Where a figure comes from: machine, date and commit, for every results file."""

import os
import platform
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - first, since it sets the path

from zonas_edge.pipeline.host import commit, today

_CPUINFO = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """Name of this machine's processor."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def cores() -> int | None:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def traceable(commit: str) -> bool:
    """Whether the code that a figure comes from can be had again."""
    return commit != "unknown" and not commit.endswith("+changes")


def made_here() -> dict[str, Any]:
    """Machine, date and commit."""
    return {
        "machine": {
            "cpu": cpu_name(),
            "machine": platform.machine(),
            "cores": cores(),
        },
        "date": today(),
        "commit": commit(),
    }
