"""How well a latency model fitted on this machine predicts networks it has not seen.

    python benchmarks/latency_error.py --json [--plot FILE]

Calibrates this machine's CPU as ``zonas-edge calibrate`` does, then measures random
networks of the space that the calibration has not seen (every decision equally likely)
in the same way with twice the visits, and compares: times while nothing came between.
A part of them is measured once more in one piece of a thousand runs, as validation
does. Writes nothing but what ``--plot`` names.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import commandline
import numpy as np
from commandline import tell
from provenance import made_here

from zonas_edge import __version__
from zonas_edge.calibrate.design import random_networks
from zonas_edge.calibrate.fit import Observation, error_of, relative_errors
from zonas_edge.calibrate.model import Calibration
from zonas_edge.calibrate.run import Effort, calibrate, time_networks
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measuring import LONG, Timings
from zonas_edge.latency import fitted_latency
from zonas_edge.profile import DeviceProfile, load_profile
from zonas_edge.space import TaskSpec

PACKAGES = ("torch", "numpy", "scipy", "onnx", "onnxruntime")
IN_ONE_PIECE = 25


def this_profile() -> DeviceProfile:
    """The shipped x86-64, made to recognise whatever machine this is."""
    profile = load_profile("x86-64")
    device = profile.device.model_copy(update={"machine": (platform.machine(),)})
    return profile.model_copy(update={"device": device})


def environment(calibration: Calibration) -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "runner": calibration.environment,
        "zonas-edge": __version__,
        "packages": {name: version(name) for name in PACKAGES},
        "load_average": os.getloadavg(),
        **made_here(),
    }


def compare(
    calibration: Calibration,
    measured: Sequence[Observation],
    in_one_piece: Sequence[Observation],
) -> dict[str, Any]:
    """The figures, in the order of their weight."""
    found = error_of(calibration.table, measured)
    predicted = fitted_latency(calibration.fitted).table  # of a median in one piece
    long = error_of(predicted, in_one_piece)
    ratios = 1 / (1 + relative_errors(predicted, in_one_piece))
    return {
        "within_10_percent": found.within_10_percent,
        "rank_correlation": found.rank_correlation,
        "networks": found.networks,
        "median_error": found.median,
        "largest_error": found.largest,
        "undisturbed_ms": {
            "smallest": min(one.undisturbed_ms for one in measured),
            "largest": max(one.undisturbed_ms for one in measured),
        },
        "in_one_piece_of_1000_runs": {
            "networks": long.networks,
            "within_10_percent": long.within_10_percent,
            "measured_over_predicted": float(np.median(ratios)),
        },
        "calibration": calibration.fitted.model_dump(mode="json"),
    }


def measure(
    calibration: Calibration, profile: DeviceProfile, options: argparse.Namespace
) -> tuple[list[Observation], list[Observation]]:
    """Networks that the calibration has not seen: in visits, and in one piece."""
    fitted = calibration.fitted
    task = TaskSpec(*fitted.image, fitted.classes)
    rng = np.random.default_rng(options.seed + 1)
    known = {seen.architecture for seen in calibration.observations}
    space = profile.search_space
    networks = random_networks(space, options.networks, rng, but=known)

    def timed(count: int, **how: Any) -> Timings:
        return time_networks(
            networks[:count],
            task,
            profile.runtime,
            target=LocalTarget(),
            rng=rng,
            tell=tell,
            **how,
        )

    def observed(times: Sequence[float]) -> list[Observation]:
        pairs = zip(networks, times, strict=False)
        return [Observation(network, time, "unseen") for network, time in pairs]

    # what is compared with is measured with more care than what the fit is made from
    visits = timed(len(networks), rounds=2 * Effort().rounds)
    one_piece = timed(IN_ONE_PIECE, rounds=1, visit=replace(LONG, seconds=5.0))
    return observed(visits.undisturbed_ms), observed(one_piece.p50_ms)


def plot(file: Path, calibration: Calibration, measured: Sequence[Observation]) -> None:
    """Predicted against measured, with the lines of 10 %."""
    import matplotlib as mpl  # noqa: PLC0415 - needed for this alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - behind the choice above
    from matplotlib.ticker import LogLocator  # noqa: PLC0415 - as above

    x = np.array([one.undisturbed_ms for one in measured])
    y = x * (1 + relative_errors(calibration.table, measured))
    figure, axes = plt.subplots(figsize=(5, 5))
    ends = np.array([0.9 * x.min(), 1.1 * x.max()])
    axes.fill_between(ends, 0.9 * ends, 1.1 * ends, alpha=0.2, label="within 10 %")
    axes.loglog(x, y, ".", label=f"{len(x)} networks not seen by the fit")
    axes.set(xlabel="measured, undisturbed [ms]", ylabel="predicted [ms]")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.set_title(calibration.fitted.cpu_model, fontsize=9)
    axes.legend()
    figure.savefig(file, dpi=150, bbox_inches="tight")
    plt.close(figure)


def text(result: dict[str, Any]) -> str:
    """The main figures for a reader."""
    keys = ("within_10_percent", "rank_correlation", "networks")
    lines = [f"{key}: {result[key]:.4g}" for key in keys]
    made = json.dumps(result["environment"], sort_keys=True)
    return "\n".join([*lines, f"environment: {made}"])


def main() -> None:
    """Calibrate, measure, compare, print."""
    at_least = commandline.at_least
    parser = commandline.parser(__doc__, device=False)
    parser.add_argument("--plot", type=Path, help="draw the scatter into this file")
    parser.add_argument("--networks", type=at_least(IN_ONE_PIECE), default=100)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--classes", type=int, default=2)
    options = parser.parse_args()
    profile, begun = this_profile(), time.monotonic()
    task = TaskSpec(options.channels, options.side, options.side, options.classes)
    effort = Effort(seed=options.seed)
    here = LocalTarget()
    calibration = calibrate(profile, task, effort, target=here, progress=tell)
    seconds = time.monotonic() - begun
    measured, in_one_piece = measure(calibration, profile, options)
    result = compare(calibration, measured, in_one_piece) | {
        "schema": 1,
        "calibrate_seconds": round(seconds, 1),
        "effort": asdict(effort),
        "environment": environment(calibration),
    }
    if options.plot is not None:
        plot(options.plot, calibration, measured)
    commandline.show(options, result, text(result))


if __name__ == "__main__":
    main()
