"""What a network costs: parameters, multiply-accumulates, bytes on disk.

Every cost of this space has the same form: a fixed part, plus for each stage its depth
times the sum over the edges of what the candidate costs there. So a cost is a table of
numbers, and there is one formula, ``expected``: differentiable in a mixture of torch
tensors, and exact for the one-hot mixture of an architecture. A reference network,
which no mixture holds, is counted layer by layer.

``parameters`` counts the deployed network, its normalisations folded into the
convolutions.

Source: the counts of the published code of ZO-DARTS++ (arXiv:2503.06092), less what is
never deployed (``profile.PAPER_EXTRA``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zonas_edge.architecture import CONV, Architecture, Mixture, one_hot
from zonas_edge.blueprint import Blueprint
from zonas_edge.profile import PAPER_EXTRA
from zonas_edge.reference import Reference
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, Op, SearchSpace, TaskSpec

REDUCTIONS = STAGES - 1
BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class CostTable:
    """A cost that is additive over the edges of a network.

    Args:
        fixed: cost of stem, reductions and head.
        operation: ``[stage][op]``, cost of a candidate on one edge of one cell; for
            the kernel-variable convolution, the part that every kernel shares.
        kernel: ``[stage][kernel]``, further cost of a convolution by its kernel.
    """

    fixed: float
    operation: tuple[tuple[float, ...], ...]
    kernel: tuple[tuple[float, ...], ...]


def expected(table: CostTable, mixture: Mixture[Any]) -> Any:
    """Expected cost when every decision is drawn independently from the mixture.

    Args:
        table: the cost's numbers.
        mixture: torch tensors (the result is a differentiable scalar) or numpy arrays.
    """
    total: Any = table.fixed
    for s in range(STAGES):
        op, kernel, depth = mixture.op[s], mixture.kernel[s], mixture.depth[s]
        cell: Any = sum(op[:, o].sum() * table.operation[s][o] for o in range(len(OPS)))
        cell = cell + sum(
            (op[:, CONV] * kernel[:, k]).sum() * table.kernel[s][k]
            for k in range(len(KERNELS))
        )
        cells = sum(depth[d] * (d + 1) for d in range(len(depth)))
        total = total + cells * cell
    return total


def scaled(table: CostTable, factor: float) -> CostTable:
    """The same cost in another unit, ``factor`` of which are one of the old."""
    return CostTable(
        fixed=table.fixed * factor,
        operation=tuple(
            tuple(cost * factor for cost in row) for row in table.operation
        ),
        kernel=tuple(tuple(cost * factor for cost in row) for row in table.kernel),
    )


def added(one: CostTable, other: CostTable) -> CostTable:
    """The sum of two costs in one unit."""
    rows = {
        part: tuple(
            tuple(a + b for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in zip(
                getattr(one, part), getattr(other, part), strict=True
            )
        )
        for part in ("operation", "kernel")
    }
    return CostTable(fixed=one.fixed + other.fixed, **rows)


def least(table: CostTable, space: SearchSpace) -> float:
    """A cost that no network of a space is below; costs may be negative.

    Every decision is taken by itself, also where no path would be left from a cell's
    input to its output.
    """
    total = table.fixed
    for s in range(STAGES):
        prices = list(table.operation[s])
        prices[CONV] += min(table.kernel[s])
        cell = len(EDGES) * min(prices)
        total += min(depth * cell for depth in space.depths)
    return total


def exact(table: CostTable, architecture: Architecture) -> float:
    """Cost of one network: the expectation at its one-hot mixture."""
    depth = max(stage.depth for stage in architecture.stages)
    cost: float = expected(table, one_hot(architecture, depth)).item()
    return cost


def edge_table(
    fixed: float,
    convolution: Callable[[int, int], float],
    candidate: Callable[[int, Op], float] = lambda _stage, _op: 0,
) -> CostTable:
    """A table of the costs by stage.

    Args:
        fixed: cost of stem, reductions and head.
        convolution: cost of a convolution, by stage and kernel.
        candidate: further cost of a candidate, by stage and operation.
    """

    def operation(stage: int, op: Op) -> float:
        own = candidate(stage, op)
        return own + convolution(stage, 1) if op is Op.CONV_1X1 else own

    return CostTable(
        fixed=fixed,
        operation=tuple(tuple(operation(s, op) for op in OPS) for s in range(STAGES)),
        kernel=tuple(tuple(convolution(s, k) for k in KERNELS) for s in range(STAGES)),
    )


def parameter_table(space: SearchSpace, task: TaskSpec) -> CostTable:
    """Weights of the deployed network [count].

    A cell's convolution has ``k^2 C^2`` weights and the ``C`` biases that its folded
    normalisation leaves. The head's normalisation can't be folded (its input is a sum
    of nodes), so it counts as scale and shift.
    """

    def convolution(stage: int, kernel: int) -> int:
        channels = space.stage_channels(stage)
        return kernel**2 * channels**2 + channels

    first, last = space.stage_channels(0), space.stage_channels(STAGES - 1)
    fixed = 9 * task.channels * first + first
    for s in range(REDUCTIONS):
        a, b = space.stage_channels(s), space.stage_channels(s + 1)
        fixed += 9 * b * (a + b) + a * b + 2 * b
    fixed += 2 * last + last * task.classes + task.classes
    return edge_table(fixed, convolution)


def mac_table(space: SearchSpace, task: TaskSpec) -> CostTable:
    """Multiply-accumulates of convolutions and classifier, for one image [count]."""

    def convolution(stage: int, kernel: int) -> int:
        weights = kernel**2 * space.stage_channels(stage) ** 2
        return weights * task.pixels_of(stage)

    fixed = 9 * task.channels * space.stage_channels(0) * task.pixels_of(0)
    for s in range(REDUCTIONS):
        a, b = space.stage_channels(s), space.stage_channels(s + 1)
        fixed += (9 * b * (a + b) + a * b) * task.pixels_of(s + 1)
    fixed += space.stage_channels(STAGES - 1) * task.classes
    return edge_table(fixed, convolution)


FIXED_BYTES = 12_000
"""Upper bound of the ONNX graph around the cells, and of the model's metadata, class
names apart."""
CLASS_BYTES = 100
"""The same of a class's name in the metadata; longer ones break the bound."""
CANDIDATE_BYTES = {
    Op.NONE: 0,
    Op.SKIP: 120,
    Op.CONV_1X1: 620,
    Op.CONV: 620,
    Op.AVG_POOL: 330,
}
"""Upper bound of what a candidate's nodes add to the ONNX graph, weights apart."""


def _graph_bytes(task: TaskSpec) -> int:
    return FIXED_BYTES + CLASS_BYTES * task.classes


def byte_table(space: SearchSpace, task: TaskSpec) -> CostTable:
    """Upper bound of the size of the float32 ONNX file [bytes].

    Weights take four bytes each; the bounds of the graph's own text are those above.
    The file that ``export`` writes is measured; this is for deciding beforehand.
    """
    weights = scaled(parameter_table(space, task), BYTES_PER_WEIGHT)
    graph = edge_table(
        _graph_bytes(task), lambda _stage, _kernel: 0, lambda _, op: CANDIDATE_BYTES[op]
    )
    return added(weights, graph)


REFERENCE_BYTES = 700
"""Upper bound of what a convolution of a reference network, with its activation and
sum, adds to the ONNX graph, weights apart."""


def parameters(blueprint: Blueprint, task: TaskSpec) -> int:
    """Weights of the deployed network [count]; simplify an architecture first."""
    if isinstance(blueprint, Architecture):
        return int(exact(parameter_table(_space_of(blueprint), task), blueprint))
    layers = [layer.convolution for layer in blueprint.layers(task)]
    classifier = (blueprint.features + 1) * task.classes
    return classifier + sum(each.weights + each.outputs for each in layers)


def macs(blueprint: Blueprint, task: TaskSpec) -> int:
    """Multiply-accumulates for one image [count]."""
    if isinstance(blueprint, Architecture):
        return int(exact(mac_table(_space_of(blueprint), task), blueprint))
    return blueprint.features * task.classes + sum(
        layer.convolution.weights * layer.pixels_out for layer in blueprint.layers(task)
    )


def reference_bytes(reference: Reference, task: TaskSpec) -> int:
    """Upper bound of the size of a reference network's float32 ONNX file [bytes]."""
    graph = _graph_bytes(task) + REFERENCE_BYTES * len([*reference.layers(task)])
    return BYTES_PER_WEIGHT * parameters(reference, task) + graph


def paper_parameters(architecture: Architecture, task: TaskSpec) -> int:
    """The published code's count, for its bands and test vectors only (16 channels)."""
    return parameters(architecture, task) + PAPER_EXTRA


def _space_of(architecture: Architecture) -> SearchSpace:
    depth = max(stage.depth for stage in architecture.stages)
    return SearchSpace(channels=architecture.channels, max_depth=depth)
