"""The command line: parse, call, render; one file per group of commands.

This is the one place where an error becomes text and an exit code. Everything heavy is
imported inside the commands, so that help and typing errors answer at once.
"""

import sys
from typing import Annotated

import typer

from zonas_edge import __version__
from zonas_edge.cli import (
    baseline,
    calibrate,
    compare,
    datasets,
    deliver,
    make,
    profiles,
    runs,
)
from zonas_edge.cli.failure import (
    INTERRUPTED,
    Terminated,
    failed,
    interrupted,
    tidy_when_ended,
)
from zonas_edge.cli.output import prepare_streams

__all__ = ["app", "main"]

PROGRAM = "zonas-edge"

app = typer.Typer(
    name=PROGRAM,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for command in (
    make.search,
    make.retrain,
    baseline.baseline,
    deliver.export,
    deliver.validate,
    deliver.check,
    calibrate.calibrate,
    make.run,
    compare.compare,
):
    app.command()(command)
for group in (profiles.app, datasets.app, runs.app):
    app.add_typer(group)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"zonas-edge {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """From a device profile and labelled images to an ONNX file with a verdict.

    Exit codes: 0 done and within budget, 1 unexpected, 2 usage or profile, 3 budget
    not met, 4 parity or accuracy gate failed, 5 model not loadable on the device, 6
    device unreachable, 7 data set missing or damaged, 130 interrupted.

    Example: zonas-edge run --profile x86-64 --dataset digits
    """
    del version  # its callback has answered


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: after the program's name; None takes those of the process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    prepare_streams()
    try:
        tidy_when_ended()
        code = app(args=words, prog_name=PROGRAM, standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Terminated as ended:
        interrupted(words)
        sys.exit(ended.exit_code)
    except Exception as error:
        known = failed(error)
        if known is None:  # a mistake of ours: the traceback is what a report needs
            raise
        code = known
    if code == INTERRUPTED:  # also what typer makes of a KeyboardInterrupt
        interrupted(words)
    sys.exit(code if isinstance(code, int) else 0)
