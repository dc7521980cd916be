"""A calibration without measuring: times that are known, on a machine that is named."""

from collections.abc import Sequence

import numpy as np

from tests.strategies import SPACE
from zonas_edge.architecture import Architecture
from zonas_edge.calibrate.design import UNKNOWNS, random_networks, table_of
from zonas_edge.calibrate.fit import Observation
from zonas_edge.calibrate.model import FIT, HELD_OUT, Calibration, fitted_fields
from zonas_edge.cost import CostTable, exact
from zonas_edge.profile import FittedLatency
from zonas_edge.space import SearchSpace, TaskSpec

TASK = TaskSpec(1, 8, 8, 3)
TIMES = np.linspace(0.1, 1.0, UNKNOWNS)
TRUTH: CostTable = table_of(TIMES)
"""Every unknown has a time of its own, the fixed part 0.1 ms."""


def observed(
    networks: Sequence[Architecture],
    source: str = FIT,
    *,
    table: CostTable = TRUTH,
    noise: float = 0.0,
    seed: int = 0,
) -> list[Observation]:
    """What the networks would take, up to ``noise`` longer or shorter."""
    rng = np.random.default_rng(seed)
    return [
        Observation(
            network,
            exact(table, network) * (1 + noise * float(rng.uniform(-1, 1))),
            source,
        )
        for network in networks
    ]


def a_calibration(
    *,
    space: SearchSpace = SPACE,
    task: TaskSpec = TASK,
    machine: str = "x86_64",
    cpu_model: str = "a processor",
    onnxruntime: str = "1.31.1",
    scale: float = 1.0,
) -> Calibration:
    """A device whose times are ``scale`` times ``TRUTH``, told without an error."""
    networks = random_networks(space, 90, np.random.default_rng(0), sparse=True)
    table = table_of(TIMES * scale)
    observations = observed(networks[:75], table=table)
    observations += observed(networks[75:], HELD_OUT, table=table)
    return Calibration(
        fitted=FittedLatency(
            device="a board",
            machine=machine,
            cpu_model=cpu_model,
            onnxruntime=onnxruntime,
            threads=1,
            provider="CPUExecutionProvider",
            date="2026-11-22",
            image=(task.channels, task.height, task.width),
            classes=task.classes,
            channels=space.channels,
            max_depth=space.max_depth,
            p50_over_undisturbed=1.5,
            p95_over_p50=1.25,
            **fitted_fields(observations),
        ),
        observations=tuple(observations),
        settings={"seed": 0},
        environment={},
    )
