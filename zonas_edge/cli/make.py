"""Making a network: search, retrain, and run, which does everything."""

from typing import TYPE_CHECKING, Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.search.method import DEFAULT

if TYPE_CHECKING:
    from zonas_edge.pipeline.session import Session
    from zonas_edge.report.progress import Progress


def search(
    *,
    profile: o.ProfileOrLevel,
    dataset: o.Dataset,
    latency_model: o.LatencyModel = None,
    data_dir: o.DataDir = None,
    seed: o.Seed = 0,
    epochs: o.Epochs = o.EPOCHS,
    retrain_epochs: o.RetrainEpochs = o.RETRAIN_EPOCHS,
    trial_epochs: o.TrialEpochs = None,
    search_images: o.SearchImages = None,
    device: o.DeviceName = o.Device.AUTO,
    threads: o.Threads = None,
    method: o.Method = DEFAULT,
    flip: o.Flip = False,
    classes: o.Classes = None,
    out: o.Out = o.EXPORTS,
    name: o.Name = None,
    offline: o.Offline = False,
    resume: o.Resume = False,
    no_retrain: Annotated[
        bool, typer.Option("--no-retrain", help="Stop at the architecture.")
    ] = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Search a network within the budget, and retrain it.

    Example: zonas-edge search --profile raspberry-pi-4 --dataset breastmnist
    """
    from zonas_edge.pipeline.session import Asked, new_session
    from zonas_edge.report.progress import Progress

    asked = Asked(
        profile=profile,
        dataset=dataset,
        data_dir=data_dir,
        seed=seed,
        epochs=epochs,
        retrain_epochs=retrain_epochs,
        trial_epochs=o.trials(trial_epochs, retrain_epochs),
        search_images=search_images,
        method=method.value,
        device=device.value,
        threads=threads,
        flip=flip,
        classes=o.class_names(classes),
        gates=None,
        offline=offline,
        bars=not quiet,
        latency_model=latency_model,
    )
    last = "search" if no_retrain else "retrain"
    with (
        Progress(quiet=quiet) as progress,
        new_session(
            asked, progress, out=out, name=name, last=last, resume=resume
        ) as session,
    ):
        _search(session, progress)
        if not no_retrain:
            train(session, progress)
    show_made(session, as_json=as_json)


def retrain(
    *,
    run: o.RunName = None,
    retrain_epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Epochs of retraining; else the run's."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=o.LARGEST_SEED,
            help="Of the retraining; else the run's.",
        ),
    ] = None,
    device: Annotated[
        o.Device | None, typer.Option(help="What computes; else as the run did.")
    ] = None,
    threads: o.Threads = None,
    data_dir: o.DataDir = None,
    out: o.Out = o.EXPORTS,
    offline: o.Offline = False,
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train the network of a run again.

    What was exported of the old weights is deleted, and must be exported again.

    Example: zonas-edge retrain --retrain-epochs 200
    """
    from zonas_edge.pipeline.again import again
    from zonas_edge.pipeline.session import old_session
    from zonas_edge.report.progress import Progress

    with (
        Progress(quiet=quiet) as progress,
        old_session(
            out, run, data_dir=data_dir, offline=offline, bars=not quiet
        ) as opened,
    ):
        session = again(
            opened,
            progress,
            retrain_epochs=retrain_epochs,
            seed=seed,
            device=None if device is None else device.value,
            threads=threads,
            resume=resume,
        )
        train(session, progress)
    show_made(session, as_json=as_json)


def run(
    *,
    profile: o.ProfileOrLevel,
    dataset: o.Dataset,
    latency_model: o.LatencyModel = None,
    data_dir: o.DataDir = None,
    seed: o.Seed = 0,
    epochs: o.Epochs = o.EPOCHS,
    retrain_epochs: o.RetrainEpochs = o.RETRAIN_EPOCHS,
    trial_epochs: o.TrialEpochs = None,
    search_images: o.SearchImages = None,
    device: o.DeviceName = o.Device.AUTO,
    threads: o.Threads = None,
    method: o.Method = DEFAULT,
    flip: o.Flip = False,
    classes: o.Classes = None,
    gates: o.Gates = None,
    target: o.Target = o.LOCAL,
    python: o.Python = None,
    ssh_config: o.SshConfig = None,
    timeout: o.Timeout = o.MEASURING_S,
    bundle_out: o.BundleOut = None,
    out: o.Out = o.EXPORTS,
    name: o.Name = None,
    offline: o.Offline = False,
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Search, retrain, export and validate.

    The exit code is the verdict's: 0 for pass and unverified, 3, 4 or 5 for fail.

    Example: zonas-edge run --profile x86-64 --dataset digits --epochs 10
    """
    from zonas_edge.cli.deliver import deliver
    from zonas_edge.cli.place import place_of
    from zonas_edge.pipeline.session import Asked, new_session
    from zonas_edge.report.progress import Progress

    place = place_of(
        target,
        python=python,
        ssh_config=ssh_config,
        timeout=timeout,
        bundle_out=bundle_out,
    )
    asked = Asked(
        profile=profile,
        dataset=dataset,
        data_dir=data_dir,
        seed=seed,
        epochs=epochs,
        retrain_epochs=retrain_epochs,
        trial_epochs=o.trials(trial_epochs, retrain_epochs),
        search_images=search_images,
        method=method.value,
        device=device.value,
        threads=threads,
        flip=flip,
        classes=o.class_names(classes),
        gates=gates,
        offline=offline,
        bars=not quiet,
        latency_model=latency_model,
    )
    with (
        Progress(quiet=quiet) as progress,
        new_session(
            asked, progress, out=out, name=name, last="validate", resume=resume
        ) as session,
    ):
        _search(session, progress)
        train(session, progress)
        tell = deliver(session, progress, place, gates=gates)
    raise typer.Exit(tell(as_json))


def _search(session: "Session", progress: "Progress") -> None:
    from zonas_edge.pipeline.doubts import search_doubts
    from zonas_edge.pipeline.search import run_search

    progress.begin("search", session.request.profile.budget)
    run_search(
        session.run,
        session.request,
        session.dataset,
        progress,
    )
    for text in search_doubts(session.run):
        progress.warn(text)


def train(session: "Session", progress: "Progress") -> None:
    """Retrain the chosen network of a run."""
    from zonas_edge.pipeline.retrain import run_retrain

    progress.begin("retrain")
    run_retrain(session.run, session.request, session.dataset, progress.retrain_epoch)


def show_made(session: "Session", *, as_json: bool) -> None:
    """Print what became of a run, and what to type next."""
    from zonas_edge.cli.output import show, show_json
    from zonas_edge.report.runs import run_renderable, run_summary

    if as_json:
        show_json(run_summary(session.run))
    else:
        show(run_renderable(session.run))
