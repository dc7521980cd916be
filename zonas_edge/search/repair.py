"""A network moved into the budget, where no draw has fitted: a hard projection."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from zonas_edge.architecture import (
    Architecture,
    Probabilities,
    Stage,
    log_probability,
    smallest,
)
from zonas_edge.constraint import Constraint
from zonas_edge.errors import BudgetError
from zonas_edge.figures import number
from zonas_edge.space import STAGES, Op, SearchSpace


def repair(
    architecture: Architecture,
    mixture: Probabilities,
    constraints: Sequence[Constraint],
    space: SearchSpace,
) -> Architecture:
    """Move a network into the budget, losing the least probability for what it gains.

    One decision at a time (a kernel, an operation, a depth) is changed: the one with
    the smallest loss of log-probability per reduction of the relative excess.

    Args:
        architecture: usually the most probable one; a stage that is not connected is
            given an identity from input to output first.
        mixture: probabilities that price the changes.
        constraints: the budget.
        space: the changes stay inside it.

    Raises:
        BudgetError: if the changes end before every limit holds.
    """
    current = replace(
        architecture,
        stages=tuple(
            stage if stage.connected else _with_edge(stage, 3, Op.SKIP, None)
            for stage in architecture.stages
        ),
    )

    def excess(candidate: Architecture) -> float:
        simple = candidate.simplified()
        return sum(limit.excess(simple) for limit in constraints)

    def price(candidate: Architecture) -> float:
        lost = log_probability(current, mixture) - log_probability(candidate, mixture)
        # a change that loses nothing is best when it gains most
        return (max(lost, 0.0) + 1e-3) / (remaining - excess(candidate))

    while (remaining := excess(current)) > 0:
        better = [
            changed
            for changed in _changes(current, space)
            if changed.connected and excess(changed) < remaining
        ]
        if not better:
            raise _out_of_reach(current.simplified(), constraints)
        current = min(better, key=price)
    return current.simplified()


def _out_of_reach(
    architecture: Architecture, constraints: Sequence[Constraint]
) -> BudgetError:
    limit = max(constraints, key=lambda limit: limit.excess(architecture))
    value = limit.upper if limit.upper is not None else limit.lower or 0.0
    return BudgetError(
        f"search: no network found inside budget.{limit.name} = {number(value)},"
        f" the nearest has {number(limit.cost(architecture))}",
        f"widen budget.{limit.name}, or the limits that work against it",
    )


def _with_edge(stage: Stage, edge: int, op: Op, kernel: int | None) -> Stage:
    operations, kernels = list(stage.operations), list(stage.kernels)
    operations[edge], kernels[edge] = op, kernel
    return replace(stage, operations=tuple(operations), kernels=tuple(kernels))


def _changes(architecture: Architecture, space: SearchSpace) -> Iterator[Architecture]:
    """Every network of the space that differs in one decision."""
    if not space.sizes:  # one cell for all stages
        for stage in _changed_stages(architecture.stages[0], space):
            yield replace(architecture, stages=(stage,) * STAGES)
        return
    for number_, before in enumerate(architecture.stages):
        for stage in _changed_stages(before, space):
            stages = list(architecture.stages)
            stages[number_] = stage
            yield replace(architecture, stages=tuple(stages))


def _changed_stages(stage: Stage, space: SearchSpace) -> Iterator[Stage]:
    # one identity instead of a path of several edges: no single change gets there
    yield replace(smallest(space).stages[0], depth=stage.depth)
    for depth in space.depths:
        if depth != stage.depth:
            yield replace(stage, depth=depth)
    options: list[tuple[Op, int | None]] = [
        *((op, None) for op in Op if op is not Op.CONV),
        *((Op.CONV, side) for side in space.kernels),
    ]
    for edge, before in enumerate(zip(stage.operations, stage.kernels, strict=True)):
        for op, side in options:
            if (op, side) != before:
                yield _with_edge(stage, edge, op, side)
