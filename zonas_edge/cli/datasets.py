"""Data sets with a name: list them, fetch one."""

from dataclasses import asdict
from typing import Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_json

app = typer.Typer(
    name="datasets",
    help="Data sets that have a name.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("list")
def list_datasets(as_json: o.AsJson = False) -> None:
    """List the sets that have a name.

    Those that can't be used stand there with the reason; your own data are named by
    their path.

    Example: zonas-edge datasets list
    """
    from zonas_edge.data.load import dataset_names
    from zonas_edge.report.datasets import dataset_table

    known = dataset_names()
    if as_json:
        found = [asdict(entry) for entry in known]
        show_json({"datasets": found})
    else:
        show(dataset_table(known))


@app.command("fetch")
def fetch_dataset(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A MedMNIST set, such as breastmnist.")
    ],
    data_dir: o.DataDir = None,
    offline: o.Offline = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Fetch a MedMNIST set, or check its file.

    Example: zonas-edge datasets fetch breastmnist --data-dir data
    """
    from zonas_edge.data.load import fetch
    from zonas_edge.report.words import plain

    file = fetch(name, data_dir=data_dir, offline=offline, progress=not quiet)
    if as_json:
        show_json({"name": name, "file": str(file)})
    else:
        typer.echo(plain(str(file)))
