"""A reference network, to compare searched ones with."""

from typing import Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.make import show_made, train
from zonas_edge.reference import ReferenceName


def baseline(
    network: Annotated[
        ReferenceName,
        typer.Argument(
            metavar="NETWORK",
            help="resnet18, or mobilenetv2, as wide as the budget allows.",
        ),
    ],
    *,
    profile: o.ProfileOrLevel,
    dataset: o.Dataset,
    data_dir: o.DataDir = None,
    seed: o.Seed = 0,
    retrain_epochs: o.RetrainEpochs = o.RETRAIN_EPOCHS,
    device: o.DeviceName = o.Device.AUTO,
    threads: o.Threads = None,
    flip: o.Flip = False,
    classes: o.Classes = None,
    out: o.Out = o.EXPORTS,
    name: o.Name = None,
    offline: o.Offline = False,
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train a reference network in place of a searched one.

    It is retrained by the same recipe; export and validate take its run as any other.
    resnet18 has 11 million parameters whatever the budget, and a verdict that says so.

    Example: zonas-edge baseline mobilenetv2 --profile x86-64 --dataset breastmnist
    """
    from zonas_edge.pipeline.choose import run_baseline
    from zonas_edge.pipeline.session import Asked, new_session
    from zonas_edge.report.progress import Progress

    asked = Asked(
        profile=profile,
        dataset=dataset,
        data_dir=data_dir,
        seed=seed,
        epochs=0,
        retrain_epochs=retrain_epochs,
        trial_epochs=0,
        search_images=None,
        method=network.value,
        device=device.value,
        threads=threads,
        flip=flip,
        classes=o.class_names(classes),
        gates=None,
        offline=offline,
        bars=not quiet,
    )
    with (
        Progress(quiet=quiet) as progress,
        new_session(
            asked, progress, out=out, name=name, last="retrain", resume=resume
        ) as session,
    ):
        for text in run_baseline(
            session.run, session.request, network, session.dataset
        ):
            progress.warn(text)
        train(session, progress)
    show_made(session, as_json=as_json)
