"""Methods side by side: the grid of runs, its tables and its plots."""

from pathlib import Path
from typing import Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_json

COMPARISON = o.EXPORTS / "compare"


def compare(
    *,
    methods: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Methods; the others are compared with the first."
        ),
    ],
    datasets: Annotated[
        str, typer.Option(metavar="X,Y", help="Data sets, by name or path.")
    ],
    profiles: Annotated[
        str,
        typer.Option(
            metavar="P,Q",
            help="Device profiles, by name or file; or small, medium, large.",
        ),
    ],
    budgets: Annotated[
        str | None,
        typer.Option(
            metavar="N,M",
            help="Parameters, at most, in place of all limits of the profiles.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="How many, from 0.")
    ] = 3,
    epochs: o.Epochs = o.EPOCHS,
    retrain_epochs: o.RetrainEpochs = o.RETRAIN_EPOCHS,
    trial_epochs: o.TrialEpochs = None,
    search_images: o.SearchImages = None,
    device: o.DeviceName = o.Device.AUTO,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=1024,
            help="Processes; else one a GPU, or what the CPU has room for.",
        ),
    ] = None,
    threads_per_worker: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1024, help="CPU threads of each process."),
    ] = 1,
    published_protocol: Annotated[
        bool,
        typer.Option(
            "--published-protocol",
            help="Tell the largest test accuracy over epochs too, beside printed ones.",
        ),
    ] = False,
    flip: o.Flip = False,
    data_dir: o.DataDir = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of this comparison.")
    ] = COMPARISON,
    offline: o.Offline = False,
    resume: o.Resume = False,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Tables alone.")] = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Compare methods over data sets, budgets and seeds.

    Every cell of the grid is an ordinary run in <out>/runs; --resume goes on with
    those that are unfinished, and takes in what the grid has grown by. Training is
    spread over processes, latency is measured afterwards. Tables and plots lie in
    the folder. The exit code is that of the first cell that failed, else 0.

    Example: zonas-edge compare --methods zo-darts++,zo-darts++-paper \
--datasets digits --profiles x86-64 --budgets 100000,250000
    """
    from zonas_edge.compare.run import Wanted
    from zonas_edge.compare.run import compare as make_grid
    from zonas_edge.report.comparison import comparison_renderable, write_tables
    from zonas_edge.report.progress import Progress

    wanted = Wanted(
        methods=words(methods, "--methods"),
        datasets=words(datasets, "--datasets"),
        profiles=words(profiles, "--profiles"),
        budgets=() if budgets is None else words(budgets, "--budgets"),
        seeds=seeds,
        epochs=epochs,
        retrain_epochs=retrain_epochs,
        trial_epochs=o.trials(trial_epochs, retrain_epochs),
        search_images=search_images,
        device=device.value,
        workers=workers,
        threads=threads_per_worker,
        flip=flip,
        published_protocol=published_protocol,
        data_dir=data_dir,
        offline=offline,
        bars=not quiet,
    )
    with Progress(quiet=quiet) as progress:
        progress.begin("compare")
        found = make_grid(wanted, out, progress, resume=resume)
        for text in found.mixed:
            progress.warn(text)
        write_tables(found, out)
        if not no_plots:
            from zonas_edge.compare.pictures import pictures
            from zonas_edge.report.plots import draw

            progress.step("drawing")
            draw(pictures(found.rows, out), out)
    if as_json:
        show_json(found.to_dict())
    else:
        show(comparison_renderable(found, out))
    raise typer.Exit(found.exit_code)


def words(text: str, option: str) -> tuple[str, ...]:
    """``a,b`` as two words.

    Raises:
        UsageError: a word is empty.
    """
    from zonas_edge.errors import UsageError

    found = tuple(word.strip() for word in text.split(","))
    if not all(found):
        raise UsageError(f"{option}: {text!r} has an empty word", f"{option} a,b")
    return found
