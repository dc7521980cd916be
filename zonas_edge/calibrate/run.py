"""Calibrating: draw networks, write their files, measure them, fit, check.

Nothing is kept but the result: the files lie in a temporary folder, and an interruption
leaves nothing behind.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zonas_edge.architecture import Architecture
from zonas_edge.calibrate.design import plan
from zonas_edge.calibrate.fit import Observation
from zonas_edge.calibrate.measuring import (
    IMAGES,
    VISIT,
    Timings,
    measure_networks,
    this_machine,
)
from zonas_edge.calibrate.model import FIT, HELD_OUT, Calibration, fitted_fields
from zonas_edge.data.batches import Normalisation
from zonas_edge.deploy.export import build_file
from zonas_edge.device.local import Repeats
from zonas_edge.device.measurement import Machine
from zonas_edge.errors import IncompatibleError, UsageError
from zonas_edge.latency import analytic_latency
from zonas_edge.nn.network import Network
from zonas_edge.profile import DeviceProfile, FittedLatency, RuntimeLimits
from zonas_edge.runtimes import version_allowed
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        networks: how many, a fifth of which check the fit.
        rounds: visits of each network.
        seed: of the networks and of the order.
    """

    networks: int = 120
    rounds: int = 20
    seed: int = 0


def calibrate(
    profile: DeviceProfile, task: TaskSpec, effort: Effort, progress: Progress
) -> Calibration:
    """Measure this machine, which is the profile's device, and fit its latency.

    Args:
        profile: of this machine.
        task: side and channels of the images, and classes.
        effort: how much is measured.
        progress: is called with each line of progress.

    Raises:
        UsageError: this machine is not the profile's device.
        IncompatibleError: its runtime is not one that the profile allows.
        TargetError: it doesn't have the profile's provider, or can't be measured.
    """
    check_device(profile, this_machine())
    space = profile.search_space
    rng = np.random.default_rng(derived_seed(effort.seed, "calibrate"))
    estimate = analytic_latency(profile.compute, space, task)
    chosen = plan(space, estimate, networks=effort.networks, rng=rng)
    networks = (*chosen.fitted, *chosen.held_out)
    timings = time_networks(
        networks, task, profile.runtime, rounds=effort.rounds, rng=rng, tell=progress
    )
    observations = [
        Observation(network, median, FIT if number < len(chosen.fitted) else HELD_OUT)
        for number, (network, median) in enumerate(
            zip(networks, timings.undisturbed_ms, strict=True)
        )
    ]
    progress("fitting")
    return _calibration(profile, task, effort, timings, observations)


def check_device(profile: DeviceProfile, machine: Machine) -> None:
    """See that a machine is the profile's device, with a runtime that it allows.

    Raises:
        UsageError: it is another machine, whose latency would not be the device's.
        IncompatibleError: its ONNX Runtime is not one that the profile allows.
    """
    if not profile.device.recognises(machine.machine, machine.cpu_model):
        raise UsageError(
            f"{profile.path}: this machine is {machine.cpu_model} ({machine.machine}),"
            " not the profile's device",
            "calibrate there, or set device.machine and device.cpu_pattern",
        )
    reason = version_allowed(machine.onnxruntime, profile.runtime)
    if reason is not None:
        raise IncompatibleError(
            f"{profile.path}: {reason}",
            f"python -m pip install 'onnxruntime{profile.runtime.onnxruntime}'",
        )


def time_networks(
    networks: Sequence[Architecture],
    task: TaskSpec,
    runtime: RuntimeLimits,
    *,
    rounds: int,
    rng: np.random.Generator,
    tell: Progress,
    visit: Repeats = VISIT,
) -> Timings:
    """Write the files of networks with random weights, and measure them.

    Latency doesn't depend on the weights, so none is trained.

    Args:
        networks: simplified.
        task: side and channels of the images, and classes.
        runtime: of the device.
        rounds: visits of each network.
        rng: decides the images and the order.
        tell: is called with each line of progress.
        visit: how long each visit is.
    """
    with tempfile.TemporaryDirectory(prefix="zonas-edge-") as name:
        folder = Path(name)
        shape = (IMAGES, task.channels, task.height, task.width)
        images = folder / "images.npy"
        np.save(images, rng.integers(0, 256, shape, dtype=np.uint8))
        files = []
        for number, network in enumerate(networks, 1):
            if number % 20 == 0 or number == len(networks):
                tell(f"writing files: {number} of {len(networks)}")
            files.append(folder / f"{number}.onnx")
            files[-1].write_bytes(model_bytes(network, task, runtime))
        return measure_networks(
            files, images, runtime, rounds=rounds, rng=rng, progress=tell, visit=visit
        )


def model_bytes(
    architecture: Architecture, task: TaskSpec, runtime: RuntimeLimits
) -> bytes:
    """The ONNX file of an untrained network."""
    network = Network(architecture, task, torch.Generator().manual_seed(0)).eval()
    model, _ = build_file(
        network,
        Normalisation(mean=0.5, std=0.25),
        runtime=runtime,
        metadata={"notice": "for measuring latency; its weights are random"},
        class_names=[str(number) for number in range(task.classes)],
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _calibration(
    profile: DeviceProfile,
    task: TaskSpec,
    effort: Effort,
    timings: Timings,
    observations: Sequence[Observation],
) -> Calibration:
    """The fit with everything that it holds for."""
    machine, space = timings.machine, profile.search_space
    environment: dict[str, Any] = asdict(machine)
    return Calibration(
        fitted=FittedLatency(
            device=profile.device.name,
            machine=machine.machine,
            cpu_model=machine.cpu_model,
            onnxruntime=machine.onnxruntime,
            threads=profile.runtime.threads,
            provider=profile.runtime.provider,
            date=datetime.now(UTC).date().isoformat(),
            image=(task.channels, task.height, task.width),
            classes=task.classes,
            channels=space.channels,
            max_depth=space.max_depth,
            p50_over_undisturbed=timings.p50_over_undisturbed,
            p95_over_p50=timings.p95_over_p50,
            **fitted_fields(observations),
        ),
        observations=tuple(observations),
        settings=asdict(effort),
        environment=environment,
    )
