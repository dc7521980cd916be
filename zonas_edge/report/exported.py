"""An export for a reader: the file, what it may be loaded by, and its parity."""

import shlex
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.artifact import Run
from zonas_edge.report.words import plain


def exported_renderable(run: Run, summary: dict[str, Any], out: Path) -> RenderableType:
    """The files written, every figure of the summary, and the next command.

    Args:
        run: its folder.
        summary: what ``Exported.summary`` gave.
        out: the folder of runs, as the user named it.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, file in (
        ("model", run.model),
        ("golden vectors", run.golden),
        ("example", run.example),
    ):
        grid.add_row(name, Text(plain(str(file))))
    for name, value in _flat(summary):
        grid.add_row(name, Text(plain(value)))
    words = ["zonas-edge", "validate", run.name]
    if out != Path("exports"):
        words += ["--out", str(out)]
    return Group(grid, Text(f"next: {plain(shlex.join(words))}"))


def _flat(summary: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in summary.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            rows += _flat(value, f"{name} ")
        else:
            rows.append((name, _shown(value)))
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) or "ai.onnx" for item in value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
