"""The budget as constraints on costs: one list for penalty, selection and errors.

A constraint is a limit of the profile joined to the cost it limits. Limits are
inclusive. The size of the file is decided by an upper bound, latency by the profile's
latency model; what was measured afterwards decides the verdict.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from zonas_edge.architecture import Architecture, every_one_cell, largest, smallest
from zonas_edge.blueprint import Blueprint
from zonas_edge.cost import (
    CostTable,
    added,
    byte_table,
    exact,
    least,
    parameter_table,
    scaled,
)
from zonas_edge.errors import BudgetError, UsageError
from zonas_edge.figures import number
from zonas_edge.latency import (
    LatencyModel,
    Source,
    analytic_latency,
    fitted_latency,
    reference_ms,
)
from zonas_edge.profile import DeviceProfile, FittedLatency
from zonas_edge.reference import Reference
from zonas_edge.runtimes import version_allowed
from zonas_edge.space import FIXED_KERNEL, SearchSpace, TaskSpec

KIB = 1024
_WEIGHTINGS = 200
_ROUNDING = 1e-9
_ANEW = "calibrate the device anew, or mend the profile"


@dataclass(frozen=True)
class Constraint:
    """One limit of a budget.

    Args:
        name: the profile's key, such as ``latency_p95_ms``.
        table: the cost, in units of ``unit``.
        unit: factor from the table's unit to the limit's.
        upper: largest allowed cost, or None.
        lower: smallest allowed cost, or None.
        bound: whether the cost is an upper bound, so that a network may cost less.
    """

    name: str
    table: CostTable
    unit: float = 1.0
    upper: float | None = None
    lower: float | None = None
    bound: bool = False

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
    """The profile's latency model: fitted on the device, or the analytic estimate.

    Raises:
        ProfileError: there is no device.
        UsageError: the fitted model is of another space, task, device or thread count.
    """
    fitted = profile.fitted
    if fitted is None:
        return analytic_latency(profile.board[1], space, task)
    file = profile.model_file or Path(f"{profile.name}.json")
    if file.is_relative_to(here := Path.cwd()):
        file = file.relative_to(here)  # shorter in a message
    if (reason := fitted.mismatch(space, task)) is not None:
        shape = f"{task.height}x{task.width}x{task.channels}-{task.classes}"
        other = file.with_name(
            f"{file.stem}-{shape}-{space.channels}x{space.max_depth}.json"
        )
        again = calibrate_command(profile, task, "--model", str(other))
        raise UsageError(f"{file}: {reason}", again)
    if (reason := another_device(profile, fitted)) is not None:
        again = calibrate_command(profile, task, "--model", str(file))
        raise UsageError(f"{file}: {reason}", again)
    return fitted_latency(fitted)


@dataclass(frozen=True)
class ExpectedLatency:
    """What a network is expected to take on the profile's device [ms].

    Args:
        source: ``estimate`` or ``fitted``, see ``LatencyModel``.
    """

    p50: float
    p95: float
    source: Source


def expected_latency(
    profile: DeviceProfile, blueprint: Blueprint, space: SearchSpace, task: TaskSpec
) -> ExpectedLatency | None:
    """The latency of a network by the profile's model, None if there is no device.

    A fitted model knows the candidates of the search space alone, so that a reference
    network always has the analytic estimate.

    Raises:
        UsageError: the profile's fitted model is of other networks.
    """
    if profile.device is None:
        return None
    if isinstance(blueprint, Reference):
        _, compute = profile.board
        median = reference_ms(compute, blueprint, task)
        return ExpectedLatency(median, median * compute.p95_over_p50, "estimate")
    model = latency_model(profile, space, task)
    return ExpectedLatency(
        model.p50_ms(blueprint), model.p95_ms(blueprint), model.source
    )


def another_device(profile: DeviceProfile, fitted: FittedLatency) -> str | None:
    """Why a model was not measured on the profile's device as it is used there."""
    device, _ = profile.board
    if not device.recognises(fitted.machine, fitted.cpu_model):
        return (
            f"measured on {fitted.cpu_model} ({fitted.machine}), which is not the"
            f" device of {profile.path}"
        )
    for name in ("threads", "provider"):
        own, wanted = getattr(fitted, name), getattr(profile.runtime, name)
        if own != wanted:
            return f"runtime.{name} is {wanted}, the latency model's is {own}"
    if reason := version_allowed(fitted.onnxruntime, profile.runtime):
        return f"measured with a runtime that the profile forbids, {reason}"
    return None


def check_fitted(profile: DeviceProfile) -> None:
    """See that a profile's fitted model, if it has one, is of its device and use.

    Whether it is of the data set's images, only a search can tell.

    Raises:
        UsageError: it is not.
    """
    fitted = profile.fitted
    if fitted is not None and (reason := another_device(profile, fitted)) is not None:
        raise UsageError(f"{profile.path}: {profile.model_file}: {reason}", _ANEW)


def calibrate_command(profile: DeviceProfile, task: TaskSpec, *options: str) -> str:
    """What fits a latency model for a task on a profile's device."""
    words = ["zonas-edge", "calibrate", "--profile", profile.argument]
    if task.height == task.width:
        words += ["--side", str(task.height), "--channels", str(task.channels)]
        words += ["--classes", str(task.classes)]
    else:
        words += ["--dataset", "FOLDER"]
    return shlex.join([*words, *options])


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
                bound=True,
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
    which, narrow = "of this space", ""
    if not space.sizes:
        which = f"with {FIXED_KERNEL}x{FIXED_KERNEL} kernels at depth {space.max_depth}"
        narrow = ", or choose a --method that searches sizes"
    for constraint in constraints:
        low = constraint.cost(smallest(space))
        high = constraint.cost(largest(space))
        if constraint.upper is not None and low > constraint.upper:
            bound = ", an upper bound" if constraint.bound else ""
            raise BudgetError(
                f"{where}: budget.{constraint.name} is"
                f" {number(constraint.upper, low)}, below the smallest network {which}"
                f" ({number(low, constraint.upper)}{bound})",
                f"raise budget.{constraint.name}, or lower space.channels"
                f" ({space.channels}){narrow}",
            )
        if constraint.lower is not None and high < constraint.lower:
            raise BudgetError(
                f"{where}: budget.{constraint.name} is"
                f" {number(constraint.lower, high)}, above the largest network {which}"
                f" ({number(high, constraint.lower)})",
                f"lower budget.{constraint.name}, or raise space.channels"
                f" ({space.channels}){narrow}",
            )
    for lower, upper in product(constraints, constraints):
        if _conflict(lower, upper, space):
            raise BudgetError(
                f"{where}: no network {which} is inside budget.{lower.name} ="
                f" {number(lower.lower or 0)} and budget.{upper.name} ="
                f" {number(upper.upper or 0)}",
                f"lower budget.{lower.name}, or raise budget.{upper.name}",
            )
    # between two cells there may be a gap as wide as a convolution in every stage
    if not space.sizes and not any(
        found.connected and fits(constraints, found.simplified())
        for found in every_one_cell(space)
    ):
        raise BudgetError(
            f"{where}: no network {which} is inside all limits of the budget",
            f"widen the budget{narrow}",
        )


def _conflict(lower: Constraint, upper: Constraint, space: SearchSpace) -> bool:
    """Whether it is certain that no network is inside both limits.

    A network inside both has no positive excess, nor any mean of its two excesses,
    however weighted; so one weighting by which the smallest possible mean is positive
    proves that there is none (Lagrangian bound: Everett 1963, Operations Research 11).
    False proves nothing.
    """
    if lower.lower is None or upper.upper is None:
        return False
    under, over = lower.unit / lower.lower, upper.unit / upper.upper
    for share in (step / _WEIGHTINGS for step in range(1, _WEIGHTINGS)):
        mean = added(
            scaled(lower.table, -share * under), scaled(upper.table, (1 - share) * over)
        )
        if share - (1 - share) + least(mean, space) > _ROUNDING:
            return True
    return False
