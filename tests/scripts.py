"""The scripts of benchmarks/, which are no package, as modules for tests."""

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def script(name: str) -> Any:
    """The module ``benchmarks/<name>.py``; it finds its neighbours as when run."""
    folder = str(ROOT / "benchmarks")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
