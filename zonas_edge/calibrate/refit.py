"""Fitting again with what later validations have measured on the same device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zonas_edge.artifact import Run, read_json
from zonas_edge.calibrate.fit import Observation
from zonas_edge.calibrate.model import RUN, Calibration
from zonas_edge.errors import UsageError
from zonas_edge.latency import fitted_latency
from zonas_edge.pipeline.search import read_architecture
from zonas_edge.validate import ValidationReport
from zonas_edge.validate.values import SCHEMA

STATE = ("power_mode", "max_mhz", "governor")
"""What a machine is set to, on which its latency depends."""


@dataclass(frozen=True)
class Comparison:
    """A validated run beside what the model said of it, medians in milliseconds.

    Args:
        before_ms: predicted before the run was known to the fit.
        after_ms: predicted by the new fit.
    """

    run: str
    measured_ms: float
    before_ms: float
    after_ms: float


def refit(
    calibration: Calibration, runs: Sequence[Run]
) -> tuple[Calibration, tuple[Comparison, ...]]:
    """The fit with the runs' measured medians among its observations.

    A run that was refitted with before replaces what it said then.

    Args:
        calibration: of the device.
        runs: validated there, with its thread count and runtime version.

    Raises:
        UsageError: a run was not validated, or not on this device, or is of another
            space or kind of image.
    """
    seen = [observation_of(run, calibration) for run in runs]
    again = calibration.refitted(seen)
    compared = tuple(
        Comparison(
            run=run.name,
            measured_ms=one.undisturbed_ms * calibration.fitted.p50_over_undisturbed,
            before_ms=fitted_latency(calibration.fitted).p50_ms(one.architecture),
            after_ms=fitted_latency(again.fitted).p50_ms(one.architecture),
        )
        for run, one in zip(runs, seen, strict=True)
    )
    return again, compared


def observation_of(run: Run, calibration: Calibration) -> Observation:
    """What a validated run says of the device, in the state it was calibrated in.

    Raises:
        UsageError: it says nothing of it.
    """
    fitted = calibration.fitted
    if not run.finished("validate"):
        raise UsageError(f"{run.path}: not validated yet", run.command("validate"))
    try:
        report = ValidationReport.from_dict(read_json(run.report, SCHEMA))
        dataset: dict[str, Any] = run.read()["dataset"]
        architecture = read_architecture(run)
        told: dict[str, Any] = {
            "cpu": report.latency_host.cpu_model,
            "machine": report.latency_host.machine,
            "onnxruntime": report.environment.machine.onnxruntime,
            "threads": report.latency_ms.threads,
            "provider": report.latency_ms.provider,
            "image": tuple(dataset["image"]),
            "classes": len(dataset["class_names"]),
            "space.channels": architecture.channels,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{run.path}: damaged ({str(error).splitlines()[0]})",
            run.command("validate"),
        ) from None
    wanted: dict[str, Any] = {
        "cpu": fitted.cpu_model,
        "machine": fitted.machine,
        "onnxruntime": fitted.onnxruntime,
        "threads": fitted.threads,
        "provider": fitted.provider,
        "image": fitted.image,
        "classes": fitted.classes,
        "space.channels": fitted.channels,
    }
    for key in STATE:  # as far as both machines tell it
        now = getattr(report.environment.machine, key)
        then = calibration.environment.get(key)
        if now is not None and then is not None:
            told[key], wanted[key] = now, then
    for key, value in told.items():
        if value != wanted[key]:
            raise UsageError(
                f"{run.path}: {key} is {value}, the latency model's is {wanted[key]}",
                "calibrate the device anew",
            )
    undisturbed = report.latency_ms.p50 / fitted.p50_over_undisturbed
    return Observation(architecture, undisturbed, RUN + run.name)
