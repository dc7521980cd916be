"""Measuring a device, so that a search knows its latency."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_bundle, show_json
from zonas_edge.space import LARGEST_SIDE, SMALLEST_SIDE, TaskSpec

if TYPE_CHECKING:
    from zonas_edge.calibrate.model import Calibration
    from zonas_edge.calibrate.refit import Comparison
    from zonas_edge.calibrate.run import Effort
    from zonas_edge.device.target import Target
    from zonas_edge.profile import DeviceProfile

SIDE, CHANNELS, CLASSES = 28, 1, 2
"""Of the images, where nothing tells them."""


def calibrate(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="With --refit: validated runs."),
    ] = None,
    *,
    profile: o.Profile,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Take side, channels and classes from these data.",
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=SMALLEST_SIDE,
            max=LARGEST_SIDE,
            help="Side of the images; 28.",
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(metavar="1|3", min=1, max=3, help="1 gray, 3 RGB; 1."),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=10_000, help="Number of classes; 2."),
    ] = None,
    networks: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=50,
            max=5_000,
            help="Networks to measure, a fifth of which check the fit; 120.",
        ),
    ] = None,
    seed: o.Seed = 0,
    refit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Fit this model again, with runs measured since."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the model here; else where the profile looks for it, or"
            " <out>/calibrations/<profile>.json.",
        ),
    ] = None,
    target: o.Target = o.LOCAL,
    python: o.Python = None,
    ssh_config: o.SshConfig = None,
    timeout: o.Timeout = o.MEASURING_S,
    bundle_out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Where a bundle goes, a folder or .zip; else"
            " <out>/calibrations/<profile>-bundle.",
        ),
    ] = None,
    report: o.Report = None,
    data_dir: o.DataDir = None,
    out: o.Out = o.EXPORTS,
    offline: o.Offline = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Measure networks of the space on a device, and fit its latency.

    The result takes the place of the profile's estimate: name it with --latency-model,
    or in the profile as latency.model. It takes minutes; let the device do nothing
    else meanwhile.

    A device that nothing reaches is measured by a bundle: files that you carry there,
    and whose report you bring back to --import, with all other options as they were.

    Example: zonas-edge calibrate --profile x86-64 --side 28 --channels 1 --classes 2
    """
    from zonas_edge.calibrate.run import Effort
    from zonas_edge.cli.place import ByHand, of_a_target, place_of, refuse_beside
    from zonas_edge.errors import UsageError
    from zonas_edge.runtimes import load_consistent_profile

    shape = {
        "--side": side is not None,
        "--channels": channels is not None,
        "--classes": classes is not None,
    }
    if refit is not None:
        elsewhere = {
            **of_a_target(target, python, ssh_config),
            "--import": report is not None,
            "--bundle-out": bundle_out is not None,
            "--dataset": dataset is not None,
            "--networks": networks is not None,
            **shape,
        }
        refuse_beside("--refit", "measures nothing", elsewhere)
        _refit(
            refit,
            runs or [],
            profile=profile,
            file=model,
            out=out,
            as_json=as_json,
            quiet=quiet,
        )
        return
    if runs:
        words = ["zonas-edge", "calibrate", "--profile", profile]
        raise UsageError(
            f"zonas-edge calibrate: {runs[0]}: runs go with --refit",
            shlex.join([*words, "--refit", "FILE", *runs]),
        )
    place = place_of(
        target,
        python=python,
        ssh_config=ssh_config,
        timeout=timeout,
        bundle_out=bundle_out,
        report=report,
    )
    judge = load_consistent_profile(profile, fitted=False)  # it may not be there yet
    if dataset is None:
        task = _task(side or SIDE, channels or CHANNELS, classes or CLASSES)
    else:
        from zonas_edge.data.load import load_dataset

        refuse_beside("--dataset", "has its own", shape)
        task = load_dataset(dataset, data_dir=data_dir, offline=offline).task
    effort, shelf = Effort(networks or Effort.networks, seed=seed), out / "calibrations"
    file = model or judge.model_file or shelf / f"{judge.name}.json"
    _check_place(file, judge, task)
    if isinstance(place, ByHand):
        images = _images(task, dataset, data_dir)
        words = ["--profile", profile, *images, "--networks", str(effort.networks)]
        words += ["--seed", str(seed), "--model", str(file), "--import"]
        path = place.out or shelf / f"{judge.name}-bundle"
        _bundle(judge, task, effort, path, words, quiet=quiet, as_json=as_json)
        return
    found = _measured(judge, task, effort, place, quiet=quiet)
    _finish(found, file, profile, as_json=as_json)


def _check_place(file: Path, judge: "DeviceProfile", task: TaskSpec) -> None:
    """See that the result can be written, before minutes of measuring.

    Raises:
        UsageError: it can't, or a model of other images or another space lies there.
    """
    import os

    from zonas_edge.calibrate.model import read_calibration
    from zonas_edge.errors import UsageError

    another = "name another file with --model"
    if file.is_dir():
        raise UsageError(f"{file}: is a folder", another)
    there = next(place for place in file.absolute().parents if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise UsageError(f"{there}: nothing can be written there", another)
    if not file.exists():
        return
    try:
        known, space = read_calibration(file).fitted, judge.search_space
    except UsageError as error:
        raise UsageError(str(error), f"delete it, or {another}") from None
    for what, asked, kept in (
        ("image is", (task.channels, task.height, task.width), known.image),
        ("classes are", task.classes, known.classes),
        ("space has channels", space.channels, known.channels),
        ("space has depth", space.max_depth, known.max_depth),
        ("device is", judge.board[0].name, known.device),
    ):
        if asked != kept:
            raise UsageError(
                f"{file}: a model lies there whose {what} {kept}, not {asked}", another
            )


def _measured(
    judge: "DeviceProfile",
    task: TaskSpec,
    effort: "Effort",
    place: "Target",
    *,
    quiet: bool,
) -> "Calibration":
    """Measure, fit, and warn of what makes the model doubtful."""
    from zonas_edge.calibrate.run import calibrate as measure
    from zonas_edge.report.calibration import doubts
    from zonas_edge.report.progress import Progress

    with Progress(quiet=quiet) as progress:
        progress.begin("calibrate")
        found = measure(judge, task, effort, target=place, progress=progress.step)
        for text in doubts(found):
            progress.warn(text)
    return found


def _bundle(
    judge: "DeviceProfile",
    task: TaskSpec,
    effort: "Effort",
    path: Path,
    words: list[str],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write what a person carries, and show what to do with it."""
    from zonas_edge.calibrate.run import bundle_calibration
    from zonas_edge.report.progress import Progress

    with Progress(quiet=quiet) as progress:
        progress.begin("bundle")
        bundle = bundle_calibration(
            judge,
            task,
            effort,
            path=path,
            command=shlex.join(["zonas-edge", "calibrate", *words]),
            progress=progress.step,
        )
    show_bundle(bundle, as_json)


def _images(
    task: TaskSpec, dataset: str | None, data_dir: Path | None
) -> tuple[str, ...]:
    """The options that tell the images again, without the data where that will do."""
    if dataset is None or task.height == task.width:
        sides = ("--side", str(task.height), "--channels", str(task.channels))
        return (*sides, "--classes", str(task.classes))
    place = () if data_dir is None else ("--data-dir", str(data_dir))
    return ("--dataset", dataset, *place)


def _task(side: int, channels: int, classes: int) -> TaskSpec:
    """The images and classes to measure for, without data."""
    from zonas_edge.errors import UsageError

    try:
        return TaskSpec(channels, side, side, classes)
    except ValueError as error:
        raise UsageError(
            f"zonas-edge calibrate: {error}", "--channels 1 or --channels 3"
        ) from None


def _refit(
    old: Path,
    names: list[str],
    *,
    profile: str,
    file: Path | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fit a model again, in its place if no other is named."""
    from zonas_edge.artifact import open_run
    from zonas_edge.calibrate.model import read_calibration
    from zonas_edge.calibrate.refit import refit
    from zonas_edge.constraint import another_device
    from zonas_edge.errors import UsageError
    from zonas_edge.report.calibration import doubts
    from zonas_edge.report.progress import Progress
    from zonas_edge.runtimes import load_consistent_profile

    words = ["zonas-edge", "calibrate", "--profile", profile]
    if not names:
        raise UsageError(
            "zonas-edge calibrate: --refit without a run",
            shlex.join([*words, "--refit", str(old), "RUN"]),
        )
    judge = load_consistent_profile(profile, fitted=False)
    known = read_calibration(old)
    if reason := another_device(judge, known.fitted):
        raise UsageError(f"{old}: {reason}", "name the profile of its device")
    if file is not None:
        channels, height, width = known.fitted.image
        task = TaskSpec(channels, height, width, known.fitted.classes)
        _check_place(file, judge, task)
    found, compared = refit(known, [open_run(out, name) for name in names])
    with Progress(quiet=quiet) as progress:
        for text in doubts(found):
            progress.warn(text)
    _finish(found, file or old, profile, compared, as_json=as_json)


def _finish(
    found: "Calibration",
    file: Path,
    profile: str,
    compared: "Sequence[Comparison]" = (),
    *,
    as_json: bool,
) -> None:
    """Write the model, whole or not at all, and show it."""
    from dataclasses import asdict

    from zonas_edge.artifact import write_json
    from zonas_edge.artifact.files import plain_errors
    from zonas_edge.report.calibration import calibration_renderable, next_command

    with plain_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, found.to_json())
    if as_json:
        runs = [asdict(one) for one in compared]
        fitted = found.fitted.model_dump(mode="json")
        show_json({"model": str(file), "fitted": fitted, "runs": runs})
    else:
        show(calibration_renderable(found, file, compared))
        typer.echo(next_command(file, profile))
