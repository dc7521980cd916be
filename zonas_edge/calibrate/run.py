"""Calibrating: draw networks, write their files, measure them, fit, check.

Nothing is kept but the result: the files lie in a temporary folder, and an interruption
leaves nothing behind. For a device that nothing reaches the same files go into a
bundle; when its report is brought back they are made again, byte for byte, and it must
be about them.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zonas_edge.architecture import Architecture, smallest
from zonas_edge.calibrate.design import Plan, plan
from zonas_edge.calibrate.files import network_files
from zonas_edge.calibrate.fit import Observation
from zonas_edge.calibrate.model import FIT, HELD_OUT, Calibration, fitted_fields
from zonas_edge.device.bundle import (
    Bundle,
    CarriedTarget,
    Errand,
    check_free,
    write_bundle,
)
from zonas_edge.device.job import Repeats
from zonas_edge.device.local import place_of
from zonas_edge.device.measurement import Machine
from zonas_edge.device.measuring import (
    VISIT,
    Timings,
    machine_of,
    measure_networks,
    plan_visits,
    seconds_of,
)
from zonas_edge.device.process import Progress
from zonas_edge.device.ssh import SshTarget
from zonas_edge.device.target import Target
from zonas_edge.errors import UsageError
from zonas_edge.latency import LatencyModel, analytic_latency
from zonas_edge.pipeline.host import today
from zonas_edge.profile import DeviceProfile, FittedLatency, RuntimeLimits
from zonas_edge.runtimes import wanted_runtime
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec
from zonas_edge.validate.host import check_runtime, host_of

_REMEDY = (
    "repeat the command of the bundle's README.txt with the versions and the profile"
    " that it was made with"
)


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
    chosen, rng = _chosen(profile, task, effort)
    networks = (*chosen.fitted, *chosen.held_out)
    if isinstance(target, CarriedTarget):
        target = replace(target, whose="this calibration's", remedy=_REMEDY)
    else:
        if isinstance(target, SshTarget):
            _check_time(target, _seconds(profile, task, networks, effort))
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
    _check_machine(profile, timings.machine, target)
    observations = [
        Observation(network, time, FIT if number < len(chosen.fitted) else HELD_OUT)
        for number, (network, time) in enumerate(
            zip(networks, timings.undisturbed_ms, strict=True)
        )
    ]
    progress("fitting")
    return _calibration(profile, task, effort, timings, observations)


def bundle_calibration(
    profile: DeviceProfile,
    task: TaskSpec,
    effort: Effort,
    *,
    path: Path,
    command: str,
    progress: Progress,
) -> Bundle:
    """Write what a person carries to the device, to have it calibrated there.

    Args:
        profile: of the device.
        task: side and channels of the images, and classes.
        effort: how much is measured.
        path: the folder or zip to write.
        command: the line that reads the report; the file's name comes behind it.
        progress: is called with each line of progress.

    Raises:
        UsageError: the place is taken, or can't be written.
    """
    check_free(path)
    chosen, rng = _chosen(profile, task, effort)
    networks = (*chosen.fitted, *chosen.held_out)
    seconds = _seconds(profile, task, networks, effort)
    errand = Errand(
        takes=f"about {math.ceil(seconds / 60)} min by the profile's estimate",
        title=f"calibration, profile {profile.name}",
        runtime=wanted_runtime(profile.runtime),
        command=command,
        content="The networks are not trained, and the image is noise.",
        facts={"profile": profile.name},
    )
    runtime = profile.runtime
    with network_files(networks, task, runtime, rng, progress) as (files, images):
        visits = plan_visits(files, images, runtime, rounds=effort.rounds, rng=rng)
        return write_bundle(path, visits.jobs, errand)


def _chosen(
    profile: DeviceProfile, task: TaskSpec, effort: Effort
) -> tuple[Plan, np.random.Generator]:
    """The networks, and the generator that goes on to decide images and order."""
    space, estimate = profile.search_space, _estimate(profile, task)
    rng = np.random.default_rng(derived_seed(effort.seed, "calibrate"))
    return plan(space, estimate, networks=effort.networks, rng=rng), rng


def _estimate(profile: DeviceProfile, task: TaskSpec) -> LatencyModel:
    """What is known of the device before it is measured."""
    return analytic_latency(profile.board[1], profile.search_space, task)


def _seconds(
    profile: DeviceProfile,
    task: TaskSpec,
    networks: Sequence[Architecture],
    effort: Effort,
) -> float:
    """How long measuring takes, by the estimate of the profile's ``[compute]``."""
    estimate = _estimate(profile, task)
    times = [estimate.p50_ms(network) for network in networks]
    return seconds_of(times, rounds=effort.rounds)


def _check_time(target: SshTarget, seconds: float) -> None:
    """See that a measurement will not be cut off after all its time.

    Raises:
        UsageError: it would be, by the profile's estimate.
    """
    if seconds > target.limit_s:
        raise UsageError(
            f"--timeout is {target.limit_s:,.10g} s, measuring takes about"
            f" {seconds:,.0f} s by the profile's estimate",
            f"--timeout {2 * math.ceil(seconds)}",
        )


def check_device(profile: DeviceProfile, task: TaskSpec, target: Target) -> None:
    """See that a target is the profile's device, with a runtime that it allows.

    Raises:
        UsageError: it is another machine, whose latency would not be the device's.
        IncompatibleError: its ONNX Runtime is not one that the profile allows.
        TargetError: it can't be reached.
    """
    rng = np.random.default_rng(0)
    networks = [smallest(profile.search_space)]
    with network_files(networks, task, profile.runtime, rng) as ((model,), images):
        machine = machine_of(target, model, images, profile.runtime)
    _check_machine(profile, machine, target)


def _check_machine(profile: DeviceProfile, machine: Machine, target: Target) -> None:
    """See that what measured is the profile's device, with a runtime that it allows.

    Raises:
        UsageError: it is another machine.
        IncompatibleError: its ONNX Runtime is not one that the profile allows.
    """
    host = host_of(machine, profile.device, target.name)
    if not host.is_profile_device:
        where = place_of(target.name)
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
    """Write the files of untrained networks, and measure them.

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
    with network_files(networks, task, runtime, rng, tell) as (files, images):
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


def _calibration(
    profile: DeviceProfile,
    task: TaskSpec,
    effort: Effort,
    timings: Timings,
    observations: Sequence[Observation],
) -> Calibration:
    """The fit with everything that it holds for."""
    machine, space = timings.machine, profile.search_space
    device, _ = profile.board
    environment: dict[str, Any] = asdict(machine)
    return Calibration(
        fitted=FittedLatency(
            device=device.name,
            machine=machine.machine,
            cpu_model=machine.cpu_model,
            onnxruntime=machine.onnxruntime,
            threads=profile.runtime.threads,
            provider=profile.runtime.provider,
            date=today(),
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
