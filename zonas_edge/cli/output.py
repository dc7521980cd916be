"""Results on stdout: text for people, one JSON object for programs."""

import io
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:  # rich is not needed for help
    from rich.console import RenderableType

    from zonas_edge.device.bundle import Bundle

_NARROWEST = 60
_WIDE = 160
"""Columns where no terminal sets a bound: a pipe's reader wants whole lines."""


def show_json(data: dict[str, Any]) -> None:
    """Print an object."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True))


def show(renderable: "RenderableType") -> None:
    """Print text, in colours on a terminal, without trailing blanks elsewhere."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width(),
        color_system=None,
        force_terminal=False,
        highlight=False,
    )
    console.print(renderable)
    for line in buffer.getvalue().splitlines():
        typer.echo(line.rstrip())


def width() -> int:
    """Columns of the reader's side."""
    return max(_NARROWEST, shutil.get_terminal_size((_WIDE, 24)).columns)


def show_bundle(bundle: "Bundle", as_json: bool) -> int:
    """Print what to carry, and what to do with it; the exit code."""
    from zonas_edge.report.exported import bundle_command, bundle_renderable

    if as_json:
        show_json(bundle.summary())
    else:
        show(bundle_renderable(bundle))
        typer.echo(bundle_command(bundle))
    return 0
