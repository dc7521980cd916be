"""Where a figure comes from: machine, date and commit, for every results file."""

import platform
from typing import Any

import checkout  # noqa: F401 - first, since it sets the path

from zonas_edge.compare.run import cores
from zonas_edge.device.runner import cpu_model
from zonas_edge.pipeline.host import commit, today


def traceable(commit: str) -> bool:
    """Whether the code that a figure comes from can be had again."""
    return commit != "unknown" and not commit.endswith("+changes")


def made_here() -> dict[str, Any]:
    """Machine, date and commit."""
    return {
        "machine": {
            "cpu": cpu_model(),
            "machine": platform.machine(),
            "cores": cores(),
        },
        "date": today(),
        "commit": commit(),
    }
