"""Calibrating: draw networks, write their files, measure them, fit, check.

Nothing is kept but the result: the files lie in a temporary folder, and an interruption
leaves nothing behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zonas_edge.architecture import Architecture, smallest
from zonas_edge.calibrate.design import plan
from zonas_edge.calibrate.fit import Observation
from zonas_edge.calibrate.model import FIT, HELD_OUT, Calibration, fitted_fields
from zonas_edge.data.batches import Normalisation
from zonas_edge.deploy.export import build_file
from zonas_edge.device.job import Repeats, workspace
from zonas_edge.device.measuring import (
    IMAGES,
    VISIT,
    Timings,
    machine_of,
    measure_networks,
)
from zonas_edge.device.process import Progress
from zonas_edge.device.target import Target
from zonas_edge.errors import UsageError
from zonas_edge.latency import analytic_latency
from zonas_edge.nn.network import Network
from zonas_edge.profile import DeviceProfile, FittedLatency, RuntimeLimits
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec
from zonas_edge.validate.host import check_runtime, host_of


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        networks: how many, a fifth of which check the fit.
        rounds: visits of each network.
        seed: of the networks and of the order.
    """

    networks: int = 120
    rounds: int = 16
    seed: int = 0


def calibrate(
    profile: DeviceProfile,
    task: TaskSpec,
    effort: Effort,
    *,
    target: Target,
    progress: Progress,
) -> Calibration:
    """Measure the profile's device, and fit its latency.

    Args:
        profile: of the device.
        task: side and channels of the images, and classes.
        effort: how much is measured.
        target: the device.
        progress: is called with each line of progress.

    Raises:
        UsageError: the target is not the profile's device.
        IncompatibleError: its runtime is not one that the profile allows.
        TargetError: it can't be reached, or doesn't have the profile's provider.
    """
    space = profile.search_space
    rng = np.random.default_rng(derived_seed(effort.seed, "calibrate"))
    estimate = analytic_latency(profile.compute, space, task)
    chosen = plan(space, estimate, networks=effort.networks, rng=rng)
    networks = (*chosen.fitted, *chosen.held_out)
    check_device(profile, task, target)
    timings = time_networks(
        networks,
        task,
        profile.runtime,
        target=target,
        rounds=effort.rounds,
        rng=rng,
        tell=progress,
    )
    observations = [
        Observation(network, time, FIT if number < len(chosen.fitted) else HELD_OUT)
        for number, (network, time) in enumerate(
            zip(networks, timings.undisturbed_ms, strict=True)
        )
    ]
    progress("fitting")
    return _calibration(profile, task, effort, timings, observations)


def check_device(profile: DeviceProfile, task: TaskSpec, target: Target) -> None:
    """See that a target is the profile's device, with a runtime that it allows.

    Raises:
        UsageError: it is another machine, whose latency would not be the device's.
        IncompatibleError: its ONNX Runtime is not one that the profile allows.
        TargetError: it can't be reached.
    """
    rng = np.random.default_rng(0)
    with _files([smallest(profile.search_space)], task, profile.runtime, rng) as files:
        (model,), images = files
        machine = machine_of(target, model, images, profile.runtime)
    host = host_of(machine, profile.device, target.name)
    if not host.is_profile_device:
        where = "this machine" if target.name == "local" else target.name
        raise UsageError(
            f"{profile.path}: {where} is {host.cpu_model} ({host.machine}), not the"
            " profile's device",
            "name the device with --target, or set device.machine and"
            " device.cpu_pattern",
        )
    check_runtime(machine, profile, target.name)


def time_networks(
    networks: Sequence[Architecture],
    task: TaskSpec,
    runtime: RuntimeLimits,
    *,
    target: Target,
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
        target: what measures.
        rounds: visits of each network.
        rng: decides the images and the order.
        tell: is called with each line of progress.
        visit: how long each visit is.
    """
    with _files(networks, task, runtime, rng, tell) as (files, images):
        return measure_networks(
            target,
            files,
            images,
            runtime,
            rounds=rounds,
            rng=rng,
            progress=tell,
            visit=visit,
        )


@contextmanager
def _files(
    networks: Sequence[Architecture],
    task: TaskSpec,
    runtime: RuntimeLimits,
    rng: np.random.Generator,
    tell: Progress = lambda _: None,
) -> Iterator[tuple[list[Path], Path]]:
    """The networks as ONNX files and some images, for as long as they are needed."""
    with workspace() as folder:
        shape = (IMAGES, task.channels, task.height, task.width)
        images = folder / "images.npy"
        np.save(images, rng.integers(0, 256, shape, dtype=np.uint8))
        files = []
        for number, network in enumerate(networks, 1):
            if number % 20 == 0 or number == len(networks):
                tell(f"writing files: {number} of {len(networks)}")
            files.append(folder / f"{number}.onnx")
            files[-1].write_bytes(model_bytes(network, task, runtime))
        yield files, images


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
