"""How wide a reference network is under a budget.

Every cost grows with the width, so the widest that is inside every upper limit is
found by halving, and a seeded run needs no luck to find it again. The limits are those
that a search is held to: latency by the estimate, the file by its upper bound.
"""

from collections.abc import Iterator

from zonas_edge.constraint import KIB, expected_latency, number
from zonas_edge.cost import parameters, reference_bytes
from zonas_edge.errors import BudgetError
from zonas_edge.profile import DeviceProfile
from zonas_edge.reference import WIDEST, Reference, ReferenceName
from zonas_edge.space import TaskSpec


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
    for limit, allowed, cost in _costs(Reference(name, 1), profile, task):
        if cost > allowed:
            raise BudgetError(
                f"{profile.path}: budget.{limit} is {number(allowed)}, below the"
                f" narrowest {name.value} ({number(cost)})",
                f"raise budget.{limit}",
            )
    fitting, beyond = 1, WIDEST + 1
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if fits_budget(Reference(name, middle), profile, task):
            fitting = middle
        else:
            beyond = middle
    return Reference(name, fitting)


def fits_budget(reference: Reference, profile: DeviceProfile, task: TaskSpec) -> bool:
    """True if a reference network is inside every upper limit of the budget."""
    return all(cost <= allowed for _, allowed, cost in _costs(reference, profile, task))


def _costs(
    reference: Reference, profile: DeviceProfile, task: TaskSpec
) -> Iterator[tuple[str, float, float]]:
    """Name, largest allowed value, and the network's own, of every upper limit."""
    budget = profile.budget
    yield "parameters", budget.parameters, parameters(reference, task)
    latency = expected_latency(profile, reference, profile.search_space, task)
    if budget.latency_p95_ms is not None and latency is not None:
        yield "latency_p95_ms", budget.latency_p95_ms, latency.p95
    if budget.model_kb is not None:
        yield "model_kb", budget.model_kb, reference_bytes(reference, task) / KIB
