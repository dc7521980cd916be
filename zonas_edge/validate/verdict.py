"""From figures to a verdict: limits, gates, and what one machine may decide.

A limit is decided only by a measurement that is valid for the profile's device. Size
is the same everywhere; latency is not, so that a latency of another machine leaves its
limit unverified, however good it looks. Nor does another machine show that the
device's own runtime loads the file and says what was trained: it can fail a network,
and not pass it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from zonas_edge.constraint import KIB
from zonas_edge.device.measurement import Latency, Parity
from zonas_edge.errors import UsageError, did_you_mean
from zonas_edge.metrics import ClassMetrics
from zonas_edge.profile import Acceptance, Budget, Quantization
from zonas_edge.validate.host import LatencyHost
from zonas_edge.validate.values import (
    Compatibility,
    Gate,
    Limit,
    Verdict,
)


def judge_limits(
    budget: Budget,
    *,
    parameters: int,
    model_bytes: int,
    latency: Latency,
    host: LatencyHost,
) -> tuple[Limit, ...]:
    """Every limit that the budget sets, in its order; limits are inclusive."""
    limits = [_at_most("parameters", budget.parameters, parameters)]
    if (least := budget.min_parameters) is not None:
        limits.append(
            Limit("min_parameters", least, parameters, passed=parameters >= least)
        )
    if (slowest := budget.latency_p95_ms) is not None:
        limits.append(_latency_limit(slowest, latency, host))
    if (largest := budget.model_kb) is not None:
        limits.append(_at_most("model_kb", largest, model_bytes / KIB))
    return tuple(limits)


def _at_most(name: str, allowed: float, measured: float) -> Limit:
    return Limit(name, allowed, measured, passed=measured <= allowed)


def _latency_limit(allowed: float, latency: Latency, host: LatencyHost) -> Limit:
    """Decided on the profile's own device, else unverified with a reason."""
    if host.is_profile_device:
        return _at_most("latency_p95_ms", allowed, latency.p95)
    note = f"{host.cpu_model} ({host.machine}) is not the profile's device"
    return Limit("latency_p95_ms", allowed, None, None, note)


def check_gates(acceptance: Acceptance, class_names: Sequence[str]) -> None:
    """Refuse a gate for a class that the data set doesn't have.

    Raises:
        UsageError: names the class, and the nearest one there is.
    """
    check_classes("acceptance.min_sensitivity", acceptance.min_sensitivity, class_names)


def check_classes(key: str, names: Iterable[str], class_names: Sequence[str]) -> None:
    """Refuse a class under a key of the profile that the data set doesn't have.

    Raises:
        UsageError: names the class, and the nearest one there is.
    """
    for name in names:
        if name not in class_names:
            raise UsageError(
                f"{key}: unknown class {name}",
                hint=did_you_mean(name, class_names)
                or f"the classes are {', '.join(class_names)}",
            )


def check_drops(quantization: Quantization, class_names: Sequence[str]) -> None:
    """Refuse a limit on what INT8 may cost a class that the data set doesn't have.

    Raises:
        UsageError: names the class, and the nearest one there is.
    """
    key, named = "max_sensitivity_drop_of", quantization.max_sensitivity_drop_of
    check_classes(f"quantization.{key}", named, class_names)


def judge_gates(
    acceptance: Acceptance,
    *,
    accuracy: float,
    auc: float,
    per_class: Mapping[str, ClassMetrics],
) -> tuple[Gate, ...]:
    """Every gate that is declared; the classes of ``min_sensitivity`` must exist."""
    return tuple(
        Gate(
            name,
            required,
            measured,
            passed=measured is not None and measured >= required,
        )
        for name, required, measured in _declared(acceptance, accuracy, auc, per_class)
        if required is not None
    )


def _declared(
    acceptance: Acceptance,
    accuracy: float,
    auc: float,
    per_class: Mapping[str, ClassMetrics],
) -> Iterator[tuple[str, float | None, float | None]]:
    """Name, required (None = no such gate) and measured."""
    yield "min_accuracy", acceptance.min_accuracy, accuracy
    yield "min_auc", acceptance.min_auc, auc
    for name, required in acceptance.min_sensitivity.items():
        yield f"min_sensitivity.{name}", required, per_class[name].sensitivity


def limits_of(budget: Budget) -> dict[str, float]:
    """Every limit by the name that a report gives it."""
    return budget.model_dump(exclude_none=True)


def gates_of(acceptance: Acceptance) -> dict[str, float]:
    """Every gate by the name that a report gives it."""
    gates = acceptance.model_dump(exclude_none=True)
    classes = gates.pop("min_sensitivity", {})
    return gates | {f"min_sensitivity.{name}": least for name, least in classes.items()}


def verdict_of(
    limits: Sequence[Limit],
    gates: Sequence[Gate],
    parity: Parity,
    compatibility: Compatibility,
    host: LatencyHost,
) -> Verdict:
    """Fail if anything failed, else unverified if the device hasn't measured."""
    decided = [limit.passed for limit in limits]
    decided += [gate.passed for gate in gates]
    decided += [parity.passed, compatibility.passed]
    if False in decided:
        return "fail"
    return "unverified" if None in decided or host.is_stranger else "pass"
