"""How wide a reference network is under a budget.

Every cost grows with the width, so the widest that is inside every upper limit is
found by halving, and a seeded run needs no luck to find it again. The limits are those
that a search is held to: latency by the estimate, the file by its upper bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from zonas_edge.constraint import KIB, expected_latency
from zonas_edge.cost import parameters, reference_bytes
from zonas_edge.errors import BudgetError
from zonas_edge.figures import number
from zonas_edge.profile import DeviceProfile
from zonas_edge.reference import WIDEST, Reference, ReferenceName
from zonas_edge.space import TaskSpec


@dataclass(frozen=True)
class Bound:
    """A limit and the cost beside it.

    Args:
        limit: the profile's key.
        allowed: largest value, inclusive.
        cost: the network's own, in the same unit.
    """

    limit: str
    allowed: float
    cost: float


def reference_for(
    name: ReferenceName, profile: DeviceProfile, task: TaskSpec
) -> Reference:
    """The reference network of that name under a profile's budget.

    Args:
        name: one that scales gets the largest width that fits; another keeps its own
            and may be outside, which the verdict says.
        profile: its upper limits count.
        task: image shape and classes.

    Raises:
        BudgetError: not even the narrowest fits.
    """
    if not name.scales:
        return Reference(name)
    for excess in excesses(Reference(name, 1), profile, task):
        raise BudgetError(
            f"{profile.path}: budget.{excess.limit} is {number(excess.allowed)}, below"
            f" the narrowest {name.value} ({number(excess.cost, excess.allowed)})",
            f"raise budget.{excess.limit}",
        )
    fitting, beyond = 1, WIDEST + 1
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if excesses(Reference(name, middle), profile, task):
            beyond = middle
        else:
            fitting = middle
    return Reference(name, fitting)


def excesses(
    reference: Reference, profile: DeviceProfile, task: TaskSpec
) -> tuple[Bound, ...]:
    """Every upper limit of a budget that a reference network is beyond."""
    return tuple(
        bound
        for bound in _costs(reference, profile, task)
        if bound.cost > bound.allowed
    )


def _costs(
    reference: Reference, profile: DeviceProfile, task: TaskSpec
) -> Iterator[Bound]:
    """Every upper limit beside the network's cost."""
    budget = profile.budget
    yield Bound("parameters", budget.parameters, parameters(reference, task))
    latency = expected_latency(profile, reference, profile.search_space, task)
    if budget.latency_p95_ms is not None and latency is not None:
        yield Bound("latency_p95_ms", budget.latency_p95_ms, latency.p95)
    if budget.model_kb is not None:
        size = reference_bytes(reference, task) / KIB
        yield Bound("model_kb", budget.model_kb, size)
