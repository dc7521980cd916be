"""How well a latency model fitted on this machine predicts networks it has not seen.

    python benchmarks/latency_error.py --json [--plot FILE]

Calibrates this machine's CPU as ``zonas-edge calibrate`` does, then measures random
networks of the space that the calibration has not seen (every decision equally likely)
in the same way with twice the visits, and compares: times while nothing came between.
A part of them is measured in one piece of a thousand runs as well, as validation does,
spread over the time: does p50 come out as predicted, and p95 no higher? Writes nothing
but what ``--plot`` names.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import commandline
import numpy as np
from commandline import tell
from provenance import made_here

from zonas_edge import __version__
from zonas_edge.architecture import Architecture
from zonas_edge.calibrate.design import random_networks
from zonas_edge.calibrate.fit import NEAR, Observation, error_of, relative_errors
from zonas_edge.calibrate.model import Calibration
from zonas_edge.calibrate.run import Effort, calibrate, time_networks
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measuring import PIECES, Timings
from zonas_edge.latency import fitted_latency
from zonas_edge.profile import DeviceProfile, load_profile
from zonas_edge.space import TaskSpec

PACKAGES = ("torch", "numpy", "scipy", "onnx", "onnxruntime")


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
    networks: Sequence[Architecture],
    timings: Timings,
) -> dict[str, Any]:
    """The figures, in the order of their weight."""
    measured = observed(networks, timings)
    found = error_of(calibration.table, measured)
    model = fitted_latency(calibration.fitted)
    pieces = [(piece, networks[piece.network]) for piece in timings.pieces]
    p50 = np.array([piece.p50_ms / model.p50_ms(network) for piece, network in pieces])
    p95 = np.array([piece.p95_ms / model.p95_ms(network) for piece, network in pieces])
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
            "networks": len(pieces),
            "p50_within_10_percent": float(np.mean(np.abs(1 / p50 - 1) <= NEAR)),
            "p50_measured_over_predicted": float(np.median(p50)),
            "p95_no_higher_than_predicted": float(np.mean(p95 <= 1)),
            "p95_measured_over_predicted": float(np.median(p95)),
        },
        "calibration": calibration.fitted.model_dump(mode="json"),
    }


def observed(networks: Sequence[Architecture], timings: Timings) -> list[Observation]:
    """What was measured of each network while nothing came between."""
    pairs = zip(networks, timings.undisturbed_ms, strict=True)
    return [Observation(network, time, "unseen") for network, time in pairs]


def measure(
    calibration: Calibration, profile: DeviceProfile, options: argparse.Namespace
) -> tuple[list[Architecture], Timings]:
    """Networks that the calibration has not seen, in visits and in one piece."""
    fitted = calibration.fitted
    task = TaskSpec(*fitted.image, fitted.classes)
    rng = np.random.default_rng(options.seed + 1)
    known = {seen.architecture for seen in calibration.observations}
    networks = random_networks(profile.search_space, options.networks, rng, but=known)
    # what is compared with is measured with more care than what the fit is made from
    timings = time_networks(
        networks,
        task,
        profile.runtime,
        target=LocalTarget(),
        rounds=2 * Effort().rounds,
        rng=rng,
        tell=tell,
    )
    return networks, timings


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
    parser.add_argument("--networks", type=at_least(PIECES), default=100)
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
    networks, timings = measure(calibration, profile, options)
    result = compare(calibration, networks, timings) | {
        "schema": 1,
        "calibrate_seconds": round(seconds, 1),
        "effort": asdict(effort),
        "environment": environment(calibration),
    }
    if options.plot is not None:
        plot(options.plot, calibration, observed(networks, timings))
    commandline.show(options, result, text(result))


if __name__ == "__main__":
    main()
