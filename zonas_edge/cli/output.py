"""Results on stdout: text for people, one JSON object for programs."""

import io
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zonas_edge.artifact.files import json_text

if TYPE_CHECKING:  # rich is not needed for help
    from rich.console import RenderableType

    from zonas_edge.device.bundle import Bundle

_NARROWEST = 60
_WIDE = 160
"""Columns where no terminal sets a bound: a pipe's reader wants whole lines."""


SCHEMA = 1
"""Version of the objects that ``--json`` prints, where their content brings none."""


def show_json(data: Mapping[str, Any]) -> None:
    """Print an object with its schema.

    Raises:
        ValueError: a number in it is NaN or infinite, which JSON can't say.
    """
    typer.echo(json_text({"schema": SCHEMA, **data}))


def prepare_streams() -> None:
    """Let nothing that stdout or stderr can't take end the work with a traceback."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by ``>&-``
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
        if callable(reconfigure := getattr(getattr(sys, name), "reconfigure", None)):
            reconfigure(errors="backslashreplace")


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
