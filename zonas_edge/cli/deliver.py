"""Delivering a network: export it, and measure what was exported."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_bundle, show_json, width

if TYPE_CHECKING:
    from zonas_edge.cli.place import ByHand
    from zonas_edge.device.target import Target
    from zonas_edge.pipeline.session import Session
    from zonas_edge.profile import ProfileOrLevel
    from zonas_edge.report.progress import Progress
    from zonas_edge.validate import ValidationReport

Tell = Callable[[bool], int]
"""Prints a result, as JSON if asked, and gives the exit code."""


def export(
    *,
    run: o.RunName = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Also an INT8 file, if the target accepts it."),
    ] = False,
    target: o.Target = o.LOCAL,
    python: o.Python = None,
    ssh_config: o.SshConfig = None,
    timeout: o.Timeout = o.MEASURING_S,
    data_dir: o.DataDir = None,
    out: o.Out = o.EXPORTS,
    offline: o.Offline = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Write the retrained network as an ONNX file.

    It holds the normalisation and the class names, and nothing that the runtime of
    the device doesn't load.

    With --int8 an INT8 file is made, and measured on the target in turn with the
    float file. It is written if it is smaller, not slower there, and loses no more
    on the val split than [quantization] of the profile allows. If not, the float
    file stays the only one, the reason is told, and the exit code is 0.

    Example: zonas-edge export --int8 --target ssh://pi@board
    """
    from zonas_edge.cli.place import measured_place
    from zonas_edge.pipeline.session import old_session
    from zonas_edge.report.exported import exported_renderable
    from zonas_edge.report.progress import Progress

    place = measured_place(
        target, python=python, ssh_config=ssh_config, timeout=timeout, int8=int8
    )
    with (
        Progress(quiet=quiet) as progress,
        old_session(
            out, run, data_dir=data_dir, offline=offline, bars=not quiet
        ) as session,
    ):
        _export(session, progress, place)
        summary = session.run.read()["export"]
    if as_json:
        show_json(summary)
    else:
        show(exported_renderable(session.run, summary))


def validate(
    *,
    run: o.RunName = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Judge by another profile than the run's own."
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Measure the INT8 file, beside the float file."),
    ] = False,
    gates: o.Gates = None,
    target: o.Target = o.LOCAL,
    python: o.Python = None,
    ssh_config: o.SshConfig = None,
    timeout: o.Timeout = o.MEASURING_S,
    bundle_out: o.BundleOut = None,
    report: o.Report = None,
    data_dir: o.DataDir = None,
    out: o.Out = o.EXPORTS,
    offline: o.Offline = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Measure the exported file against the budget.

    Its decisions are counted on the test images, its latency on the target. A
    device that nothing reaches is measured by a bundle: a folder that you carry
    there, and whose report you bring back to --import.

    The exit code is the verdict's: 0 for pass and unverified, 3, 4 or 5 for fail.

    Example: zonas-edge validate --target ssh://pi@board
    """
    from zonas_edge.cli.place import place_of
    from zonas_edge.pipeline.session import old_session
    from zonas_edge.report.progress import Progress
    from zonas_edge.runtimes import load_profile_or_level

    place = place_of(
        target,
        python=python,
        ssh_config=ssh_config,
        timeout=timeout,
        bundle_out=bundle_out,
        report=report,
    )
    judge = None if profile is None else load_profile_or_level(profile)
    with (
        Progress(quiet=quiet) as progress,
        old_session(
            out, run, data_dir=data_dir, offline=offline, bars=not quiet, gates=gates
        ) as session,
    ):
        given = {"--profile": profile, "--gates": gates, "--data-dir": data_dir}
        tell = measure(session, progress, judge, place, int8=int8, given=given)
    raise typer.Exit(tell(as_json))


def check(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="An ONNX file, of whatever origin.")
    ],
    *,
    profile: o.Profile,
    as_json: o.AsJson = False,
) -> None:
    """Look for all that would make a device's ONNX Runtime refuse a file.

    Looked at are opset, IR version, domains, operators, fixed shapes, weights inside
    the file, and its size; this machine's ONNX Runtime must load it too. Nothing is
    run: that the device says the same, validate --target shows.

    The exit code is 5 if something was found, 3 if the file is only too large.

    Example: zonas-edge check model.onnx --profile jetson-nano
    """
    from zonas_edge.deploy.check import check_path
    from zonas_edge.report.checked import checked_renderable
    from zonas_edge.runtimes import load_consistent_profile

    judge = load_consistent_profile(profile, fitted=False)
    checked = check_path(model, judge)
    if as_json:
        names = {"model": str(model), "profile": judge.name}
        show_json(names | checked.to_dict())
    else:
        show(checked_renderable(str(model), judge, checked))
    raise typer.Exit(checked.exit_code)


def _export(session: "Session", progress: "Progress", place: "Target | None") -> None:
    """Export, with INT8 if there is a place to try it on."""
    from zonas_edge.pipeline.quantize import run_export_int8

    if place is None:
        write(session, progress)
        return
    progress.begin("export")
    run_export_int8(
        session.run,
        session.request,
        session.dataset,
        target=place,
        progress=progress.step,
    )


def write(session: "Session", progress: "Progress") -> None:
    """Export the network of a run."""
    from zonas_edge.pipeline.deliver import run_export

    progress.begin("export")
    run_export(session.run, session.request, session.dataset, progress=progress.step)


def deliver(
    session: "Session",
    progress: "Progress",
    place: "Target | ByHand",
    *,
    gates: str | None,
) -> "Tell":
    """Export, unless a resumed run has done so, and validate."""
    if not session.run.finished("export"):
        write(session, progress)
    return measure(session, progress, None, place, given={"--gates": gates})


def measure(
    session: "Session",
    progress: "Progress",
    profile: "ProfileOrLevel | None",
    place: "Target | ByHand",
    *,
    int8: bool = False,
    given: Mapping[str, object],
) -> "Tell":
    """Validate against a profile, or without one against the run's own.

    Args:
        session: a locked run whose network is exported.
        progress: hears of it.
        profile: what it is judged by, None for the run's own.
        place: what measures.
        int8: the INT8 file instead of the float one.
        given: options, None where left out, by which a carried report is judged like
            one from here.

    Returns:
        What prints the result, behind the progress: the verdict, or the bundle that
        somebody carries to the device first. It takes whether to print JSON, and
        returns the exit code.
    """
    from zonas_edge.cli.place import ByHand
    from zonas_edge.pipeline.deliver import run_bundle, run_validate
    from zonas_edge.profile import profile_on

    request = session.request
    judge = profile_on(profile or request.profile, request.dataset)
    if isinstance(place, ByHand):
        progress.begin("bundle")
        words = [
            (name, str(value)) for name, value in given.items() if value is not None
        ]
        command = session.run.command(
            "validate",
            *(["--int8"] if int8 else []),
            *chain.from_iterable(words),
            "--import",
        )
        bundle = run_bundle(
            session.run,
            session.dataset,
            profile=judge,
            acceptance=session.gates,
            path=place.out,
            command=command,
            int8=int8,
        )
        return partial(show_bundle, bundle)
    progress.begin("validate")
    report = run_validate(
        session.run,
        session.request,
        session.dataset,
        profile=judge,
        acceptance=session.gates,
        target=place,
        progress=progress.step,
        int8=int8,
    )
    return partial(_show_report, report)


def _show_report(report: "ValidationReport", as_json: bool) -> int:
    """Print the verdict; its exit code."""
    from zonas_edge.report.validation import report_renderable, report_text

    if as_json:
        show_json(report.to_dict())
    elif sys.stdout.isatty():
        show(report_renderable(report))
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        typer.echo(report_text(report, min(width(), 100), encoding), nl=False)
    return report.exit_code
