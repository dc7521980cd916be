"""Runs on the disk: list them, show one."""

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_json

app = typer.Typer(
    name="runs",
    help="Runs: what was made and measured so far.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("list")
def list_all(out: o.Out = o.EXPORTS, as_json: o.AsJson = False) -> None:
    """List the runs, the newest first.

    Example: zonas-edge runs list
    """
    from zonas_edge.artifact import list_runs
    from zonas_edge.report.runs import listed, run_table

    runs = list_runs(out)
    if as_json:
        show_json({"runs": [listed(run) for run in runs]})
    elif runs:
        show(run_table(runs))
    else:
        typer.echo("no run yet", err=True)


@app.command("show")
def show_run(
    run: o.RunName = None, out: o.Out = o.EXPORTS, as_json: o.AsJson = False
) -> None:
    """Show what became of a run, and what to do next.

    Example: zonas-edge runs show breastmnist-raspberry-pi-4-seed0
    """
    from zonas_edge.artifact import open_run
    from zonas_edge.report.runs import run_renderable, run_summary

    opened = open_run(out, run)
    if as_json:
        show_json(run_summary(opened))
    else:
        show(run_renderable(opened))
