"""A row: what a table knows of one trained network, read from its run's folder."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self

from zonas_edge.artifact import Run, read_json, read_lines
from zonas_edge.compare.plan import Cell
from zonas_edge.compare.published import largest
from zonas_edge.errors import UsageError
from zonas_edge.validate import ValidationReport
from zonas_edge.validate.values import SCHEMA

CLOCKED = (
    "search_seconds",
    "retrain_seconds",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_undisturbed_ms",
)
"""Figures of a clock, which differ each time."""


@dataclass(frozen=True)
class Row:
    """One network.

    Args:
        run: name of the run's folder.
        method: that found it.
        dataset: name of the data set.
        profile: name of the profile it was made under.
        budget: parameters, at most.
        min_parameters: at least, or None.
        seed: of everything random.
        parameters: of the deployed network.
        macs: multiply-accumulates of one image.
        val_accuracy: at the epoch that val chose, 0 to 1.
        accuracy: on test, once, of the exported file (the clean protocol).
        auc: as ``accuracy``.
        accuracy_max_over_test_epochs: the published protocol's figure, for comparison
            with printed tables only; None if it wasn't asked for.
        search_seconds: search, ranking and trials; None where nothing was searched.
        retrain_seconds: retraining.
        latency_p50_ms: median of one inference on the machine that validated, in a
            piece of its own: not to be compared with another network's.
        latency_p95_ms: 95th percentile.
        alpha_updates: steps of the architecture parameters; None without a search.
        inside_after_epochs: epochs of the search after which the expected parameters
            were inside the budget for the first time; None if they never were.
        test_openings: how often the test split was read, those of
            ``accuracy_max_over_test_epochs`` included.
        verdict: of the network by its own profile; None of one that stands under
            several, and in results from before it was kept.
        latency_undisturbed_ms: of one inference on this machine, all networks in turns
            (``compare.clock``); None before they were.
        limits_kept: whether no limit of the profile's budget was found to be exceeded;
            what was found on test plays no part. None as ``verdict``.
    """

    run: str
    method: str
    dataset: str
    profile: str
    budget: int
    min_parameters: int | None
    seed: int
    parameters: int
    macs: int
    val_accuracy: float
    accuracy: float
    auc: float
    accuracy_max_over_test_epochs: float | None
    search_seconds: float | None
    retrain_seconds: float
    latency_p50_ms: float
    latency_p95_ms: float
    alpha_updates: int | None
    inside_after_epochs: int | None
    test_openings: int
    verdict: str | None = None
    latency_undisturbed_ms: float | None = None
    limits_kept: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What ``to_dict`` gave; keys of later versions are passed over.

        Raises:
            KeyError: a key is missing.
        """
        known = [
            one.name
            for one in fields(cls)
            if one.default is MISSING or one.name in data
        ]
        return cls(**{name: data[name] for name in known})

    @property
    def inside(self) -> bool:
        """Whether it is inside its budget, as far as was measured.

        A gate on the test split has no say: what is compared by its accuracy must not
        be chosen by it.
        """
        least = self.min_parameters or 0
        return least <= self.parameters <= self.budget and self.limits_kept is not False


def report_of(run: Run) -> ValidationReport:
    """What a run's validation has found.

    Raises:
        UsageError: the file can't be read.
    """
    try:
        return ValidationReport.from_dict(read_json(run.report, SCHEMA))
    except ValueError:
        raise UsageError(
            f"{run.report}: no report of a validation",
            "delete it, and validate again",
        ) from None


def row_of(cell: Cell, run: Run) -> Row:
    """The row of a cell whose run is validated.

    Raises:
        UsageError: a file of the run can't be read.
    """
    record = run.read()
    report = report_of(run)
    # a shared run was judged under another row's profile
    own = cell.profile == cell.request.profile
    try:
        search: dict[str, Any] = record.get("search", {})
        retrained: dict[str, Any] = record["retrain"]
        return Row(
            **cell.facts(),
            parameters=report.parameters,
            macs=report.macs,
            val_accuracy=retrained["val_accuracy"],
            accuracy=report.accuracy,
            auc=report.auc,
            accuracy_max_over_test_epochs=largest(run, cell.request.retrain_epochs),
            search_seconds=searched_seconds(search),
            retrain_seconds=retrained["retrain_seconds"],
            latency_p50_ms=report.latency_ms.p50,
            latency_p95_ms=report.latency_ms.p95,
            alpha_updates=search.get("alpha_updates"),
            inside_after_epochs=_inside_after(cell, run),
            test_openings=record["test_openings"],
            verdict=report.verdict if own else None,
            limits_kept=report.limits_kept if own else None,
        )
    except KeyError as error:
        raise UsageError(
            f"{run.record}: no {error.args[0]} in it",
            "delete the run's folder, and compare again with --resume",
        ) from None


def searched_seconds(search: Mapping[str, Any]) -> float | None:
    """Search, ranking and trials of a run's record; None where nothing was searched."""
    if "search_seconds" not in search:
        return None
    parts = ("search_seconds", "selection_seconds", "trial_seconds")
    return round(sum(float(search.get(part, 0.0)) for part in parts), 1)


def _inside_after(cell: Cell, run: Run) -> int | None:
    budget = cell.profile.budget
    least = budget.min_parameters or 0
    for line in read_lines(run.history):
        expected = line.get("expected", {}).get("parameters")
        if expected is not None and least <= expected <= budget.parameters:
            return int(line["epoch"])
    return None
