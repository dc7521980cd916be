"""What a run's network is built from, as its folder holds it."""

from dataclasses import asdict
from typing import Any

from zonas_edge.artifact import Run, read_json
from zonas_edge.blueprint import Blueprint, blueprint_from_json
from zonas_edge.constraint import expected_latency
from zonas_edge.cost import macs, parameters
from zonas_edge.errors import UsageError
from zonas_edge.profile import DeviceProfile
from zonas_edge.space import TaskSpec


def read_blueprint(run: Run) -> Blueprint:
    """The architecture that the search chose, or the reference network.

    Raises:
        UsageError: there is none yet, or the file is damaged.
    """
    if not run.architecture.is_file():
        raise UsageError(
            f"{run.path}: no architecture yet, its search is not finished",
            "repeat the search with --resume",
        )
    try:
        return blueprint_from_json(read_json(run.architecture, schema=None))
    except ValueError as error:
        raise UsageError(
            f"{run.architecture}: {error}", "restore the file, or search again"
        ) from None


def costs_of(
    blueprint: Blueprint, profile: DeviceProfile, task: TaskSpec
) -> dict[str, Any]:
    """What ``run.json`` keeps of a network's costs.

    Raises:
        UsageError: the profile's latency model says nothing of these networks.
    """
    latency = expected_latency(profile, blueprint, profile.search_space, task)
    return {
        "parameters": parameters(blueprint, task),
        "macs": macs(blueprint, task),
        "estimated_latency_ms": None if latency is None else asdict(latency),
    }
