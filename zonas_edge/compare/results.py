"""The results file: the rows, what they depend on, and what they say together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zonas_edge.artifact import Run, read_json
from zonas_edge.compare.findings import contrasts, findings, fronts
from zonas_edge.compare.plan import Cell
from zonas_edge.compare.pool import Failure
from zonas_edge.compare.row import Row
from zonas_edge.validate.values import SCHEMA

_OF_THE_CELL = ("seed",)
"""Settings that differ between cells of one comparison by design."""


@dataclass(frozen=True)
class Made:
    """What came of a cell.

    Args:
        cell: as it was planned.
        row: of its network, or None.
        failure: why there is no network, or None.
    """

    cell: Cell
    row: Row | None
    failure: Failure | None


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Args:
        rows: one a network, in the grid's order.
        failures: one a cell without a network.
        reference: the method that the others are compared with.
        settings: the options, and by data set what they meant.
        environment: what the runs were made under.
        clock: what their undisturbed latencies hold for (``compare.clock``).
        commits: of the code that worked on them.
        datasets: facts by name.
        mixed: what differs between runs though it should not, a sentence each.
        exit_code: 0, or that of the first cell that failed.
    """

    rows: tuple[Row, ...]
    failures: tuple[dict[str, Any], ...]
    reference: str
    settings: dict[str, Any]
    environment: dict[str, Any]
    clock: dict[str, str]
    commits: tuple[str, ...]
    datasets: dict[str, Any]
    mixed: tuple[str, ...]
    exit_code: int

    def to_dict(self) -> dict[str, Any]:
        """The object of ``results.json``, without its schema."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "failures": list(self.failures),
            "reference": self.reference,
            "settings": self.settings,
            "environment": self.environment,
            # a list, since results that were put together were clocked several times
            "clock": [self.clock],
            "commit": self.commits[-1] if self.commits else "unknown",
            "commits": list(self.commits),
            "datasets": self.datasets,
            "mixed": list(self.mixed),
            "findings": [asdict(found) for found in findings(self.rows)],
            "contrasts": [
                asdict(found) for found in contrasts(self.rows, self.reference)
            ],
            "fronts": [asdict(found) for found in fronts(self.rows)],
        }


def gather(
    made: Sequence[Made],
    *,
    runs: Mapping[str, Run],
    reference: str,
    options: Mapping[str, Any],
    datasets: Mapping[str, Any],
    clock: dict[str, str],
) -> Comparison:
    """Put together what came of every cell.

    Args:
        made: in the grid's order.
        runs: by name of the cell, those that have a row.
        reference: the method that the others are compared with.
        options: as they were asked for.
        datasets: facts by name.
        clock: what the rows' undisturbed latencies hold for.

    Raises:
        UsageError: a run's record can't be read.
    """
    rows = tuple(one.row for one in made if one.row is not None)
    records = {row.run: runs[row.run].read() for row in rows}
    mixed: list[str] = []
    search: dict[str, Any] = {}
    retrain: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    for row in rows:
        record = records[row.run]
        known = search.setdefault(row.dataset, {})
        if "search_settings" in record:  # a reference network has none
            searched = _shared(record["search_settings"])
            _agree(f"{row.run}: search", known, row.method, searched, mixed)
        trained = _shared(record.get("retrain_settings", {}))
        _agree(f"{row.run}: retraining", retrain, row.dataset, trained, mixed)
        cpu = read_json(runs[row.run].report, SCHEMA)["latency_host"]["cpu_model"]
        for key, value in {**record.get("environment", {}), "cpu": cpu}.items():
            if key == "commit":  # told of all runs together, below
                continue
            _agree(f"{row.run}: {key}", environment, key, value, mixed)
    commits = dict.fromkeys(
        commit for record in records.values() for commit in record.get("commits", [])
    )
    if len(commits) > 1:
        mixed.append(f"the code is of several commits: {', '.join(commits)}")
    failures = [(one.cell, one.failure) for one in made if one.failure is not None]
    return Comparison(
        rows=rows,
        failures=tuple(cell.facts() | asdict(failure) for cell, failure in failures),
        reference=reference,
        settings={**options, "search": search, "retrain": retrain},
        environment=environment,
        clock=clock,
        commits=tuple(commits),
        datasets=dict(datasets),
        mixed=tuple(mixed),
        exit_code=next((failure.exit_code for _, failure in failures), 0),
    )


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in settings if key not in _OF_THE_CELL}


def _agree(
    where: str, known: dict[str, Any], key: str, value: Any, mixed: list[str]
) -> None:
    """Keep a value, or see that it is the one that is kept."""
    first = known.setdefault(key, value)
    if first != value:
        mixed.append(
            f"{where} is {_told(value, first)}, elsewhere {_told(first, value)}"
        )


def _told(value: Any, other: Any) -> str:
    """A value, or of two mappings what differs."""
    if not (isinstance(value, dict) and isinstance(other, dict)):
        return str(value)
    keys = [key for key in value if value[key] != other.get(key)]
    return ", ".join(f"{key} {value[key]}" for key in keys)
