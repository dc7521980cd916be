"""Where a figure comes from: machine, date and commit, for every results file."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import checkout

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


def commit() -> str:
    """The commit that is checked out; marked if code differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words],  # noqa: S607 - the developer's own git
            cwd=checkout.ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        code = ("zonas_edge", "profiles", "benchmarks/*.py")
        changed = git("status", "--porcelain", "--", *code)
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # no git here, or a copy without its history


def made_here() -> dict[str, Any]:
    """Machine, date and commit."""
    return {
        "machine": {
            "cpu": cpu_name(),
            "machine": platform.machine(),
            "cores": cores(),
        },
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }
