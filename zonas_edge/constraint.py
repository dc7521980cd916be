"""The budget as constraints on costs: one list for penalty, selection and errors.

A constraint is a limit of the profile joined to the cost it limits. Limits are
inclusive. The size of the file is decided by an upper bound, latency by the profile's
latency model; what was measured afterwards decides the verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zonas_edge.architecture import Architecture, largest, smallest
from zonas_edge.cost import CostTable, byte_table, exact, parameter_table
from zonas_edge.errors import BudgetError
from zonas_edge.latency import LatencyModel, analytic_latency
from zonas_edge.profile import DeviceProfile
from zonas_edge.space import SearchSpace, TaskSpec

KIB = 1024


@dataclass(frozen=True)
class Constraint:
    """One limit of a budget.

    Args:
        name: the profile's key, such as ``latency_p95_ms``.
        table: the cost, in units of ``unit``.
        unit: factor from the table's unit to the limit's.
        upper: largest allowed cost, or None.
        lower: smallest allowed cost, or None.
    """

    name: str
    table: CostTable
    unit: float = 1.0
    upper: float | None = None
    lower: float | None = None

    def cost(self, architecture: Architecture) -> float:
        """The network's cost in the limit's unit."""
        return exact(self.table, architecture) * self.unit

    def excess(self, architecture: Architecture) -> float:
        """How far outside the limit the network is, relative to it; 0 inside."""
        cost = self.cost(architecture)
        over = 0.0 if self.upper is None else cost / self.upper - 1
        under = 0.0 if self.lower is None else 1 - cost / self.lower
        return max(0.0, over, under)


def latency_model(
    profile: DeviceProfile, space: SearchSpace, task: TaskSpec
) -> LatencyModel:
    """The profile's latency model: the analytic estimate."""
    return analytic_latency(profile.compute, space, task)


def constraints_of(
    profile: DeviceProfile, space: SearchSpace, task: TaskSpec
) -> tuple[Constraint, ...]:
    """The limits of a profile's budget for the networks of a space."""
    budget = profile.budget
    found = [
        Constraint("parameters", parameter_table(space, task), upper=budget.parameters)
    ]
    if budget.min_parameters is not None:
        found.append(
            Constraint(
                "min_parameters",
                parameter_table(space, task),
                lower=budget.min_parameters,
            )
        )
    if budget.latency_p95_ms is not None:
        model = latency_model(profile, space, task)
        found.append(
            Constraint(
                "latency_p95_ms",
                model.table,
                unit=model.p95_over_p50,
                upper=budget.latency_p95_ms,
            )
        )
    if budget.model_kb is not None:
        found.append(
            Constraint(
                "model_kb",
                byte_table(space, task),
                unit=1 / KIB,
                upper=budget.model_kb,
            )
        )
    return tuple(found)


def fits(constraints: Sequence[Constraint], architecture: Architecture) -> bool:
    """True if the network is inside every limit."""
    return all(constraint.excess(architecture) == 0 for constraint in constraints)


def check_reachable(
    constraints: Sequence[Constraint], space: SearchSpace, where: str
) -> None:
    """Refuse a budget that no network of the space can meet.

    Raises:
        BudgetError: naming the limit and the nearest value that can be reached.
    """
    for constraint in constraints:
        low = constraint.cost(smallest(space))
        high = constraint.cost(largest(space))
        if constraint.upper is not None and low > constraint.upper:
            raise BudgetError(
                f"{where}: budget.{constraint.name} is {number(constraint.upper)},"
                f" below the smallest network of this space ({number(low)})",
                f"raise budget.{constraint.name}, or lower space.channels"
                f" ({space.channels})",
            )
        if constraint.lower is not None and high < constraint.lower:
            raise BudgetError(
                f"{where}: budget.{constraint.name} is {number(constraint.lower)},"
                f" above the largest network of this space ({number(high)})",
                f"lower budget.{constraint.name}, or raise space.channels"
                f" ({space.channels})",
            )


def number(value: float) -> str:
    """A figure as people write it: 1,234,567 or 3.25."""
    whole = value == int(value) or abs(value) >= 1000  # noqa: PLR2004 - 4 digits
    return f"{value:,.0f}" if whole else f"{value:.4g}"
