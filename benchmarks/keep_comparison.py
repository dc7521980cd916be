"""A comparison's results as they are committed: one file a data set.

python benchmarks/keep_comparison.py exports/compare
python benchmarks/keep_comparison.py exports/spread --kind spread    # of one method
python benchmarks/keep_comparison.py exports/budgets --kind penalty  # its budgets
python benchmarks/tables.py

Several results are kept as one: those of a grid that was made in parts, such as more
seeds of a few methods. A result that can't be traced to one commit's code, or whose
networks were made under different settings, is refused.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import checkout
from provenance import traceable

from zonas_edge.compare.row import CLOCKED

_OF_A_PART = frozenset({"methods", "seeds", "workers", "search"})
"""Settings in which the parts of a grid may differ."""

_PLACE = ("dataset", "profile", "method", "seed")
"""What tells a network's row from all others."""


def refusal(results: dict[str, Any]) -> str | None:
    """Why results may not be committed, or None."""
    if not results["rows"]:
        return "no network in it"
    for commit in results["commits"] or ["unknown"]:
        if not traceable(commit):
            return f"made by code that is no commit ({commit})"
    if len(results["commits"]) > 1:
        return f"made by several commits ({', '.join(results['commits'])})"
    if results["mixed"]:
        return f"mixed settings: {results['mixed'][0]}"
    return None


def joined(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Parts of one grid as the whole; a network that is in several counts once.

    Raises:
        ValueError: they were not made alike.
    """
    whole, *others = results
    for other in others:
        if unlike := _unlike(whole, other):
            raise ValueError(f"{unlike} of the parts differ")
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for one in results for row in one["rows"]):
        # a reference network may stand under several profiles by one run
        known = rows.setdefault(tuple(row[key] for key in _PLACE), row)
        if (key := _contradiction(known, row)) is not None:
            raise ValueError(f"{row['run']}: {key} of the parts differ")
    settings = [one["settings"] for one in results]
    clocks = [clock for one in results for clock in one.get("clock", [])]
    workers = sorted({one["workers"] for one in settings})
    methods = [name for one in settings for name in one["methods"]]
    search = {
        name: {k: v for one in settings for k, v in one["search"].get(name, {}).items()}
        for name in whole["datasets"]
    }
    return whole | {
        "rows": sorted(rows.values(), key=lambda row: (row["seed"], row["budget"])),
        "failures": [failure for one in results for failure in one["failures"]],
        "mixed": [text for one in results for text in one["mixed"]],
        # latencies that were taken at several times stand beside each other
        "clock": [one for n, one in enumerate(clocks) if one not in clocks[:n]],
        "settings": settings[0]
        | {
            "search": search,
            "methods": list(dict.fromkeys(methods)),
            "seeds": max(one["seeds"] for one in settings),
            "workers": workers if len(workers) > 1 else workers[0],
        },
    }


def _contradiction(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What two measurements of one network say differently, a clock's figures apart."""
    may_differ = {*CLOCKED, "test_openings"}
    for key in sorted(one.keys() | other.keys()):
        if key not in may_differ and one.get(key) != other.get(key):
            return key
    return None


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What two parts have not in common, though they should; None if all of it."""
    for key in ("reference", "environment", "commits", "datasets"):
        if one[key] != other[key]:
            return str(key)
    ours: dict[str, Any] = one["settings"]
    theirs: dict[str, Any] = other["settings"]
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in _OF_A_PART and ours.get(key) != theirs.get(key):
            return key
    for name, methods in ours["search"].items():
        for method, own in methods.items():
            if theirs["search"].get(name, {}).get(method, own) != own:
                return f"searches by {method}"
    return None


def parts(
    results: dict[str, Any], date: str, note: str = ""
) -> dict[str, dict[str, Any]]:
    """The committed object of every data set, by its name."""
    shared = ("schema", "reference", "environment", "clock", "commit", "commits")
    settings = results["settings"]
    found = {}
    for name, facts in results["datasets"].items():
        rows = [row for row in results["rows"] if row["dataset"] == name]
        if rows:
            found[name] = {key: results[key] for key in shared} | {
                # where a file of one's own lay tells a reader nothing
                "dataset": facts | {"source": Path(facts["source"]).name},
                "date": date,
                "note": note,
                "rows": rows,
                "failures": [
                    one for one in results["failures"] if one["dataset"] == name
                ],
                "settings": settings
                | {key: settings[key].get(name, {}) for key in ("search", "retrain")},
            }
    return found


def main() -> None:
    """Write a file for every data set of a comparison, or none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="folders of zonas-edge compare, or files"
    )
    parser.add_argument(
        "--kind",
        choices=("compare", "spread", "penalty"),
        default="compare",
        help="how the files are named: methods side by side, many seeds of one, or"
        " what budgets do to one",
    )
    parser.add_argument("--note", default="", help="what else a reader must know")
    arguments = parser.parse_args()
    files = [
        given / "results.json" if given.is_dir() else given
        for given in arguments.results
    ]
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for file, part in zip(files, found, strict=True):
        if (reason := refusal(part)) is not None:
            sys.exit(f"{file}: {reason}")
    try:
        results = joined(found)
    except ValueError as error:
        sys.exit(str(error))
    latest = max(file.stat().st_mtime for file in files)
    date = datetime.fromtimestamp(latest, UTC).date().isoformat()
    for name, part in parts(results, date, arguments.note).items():
        kept = checkout.RESULTS / f"{arguments.kind}-{name}.json"
        text = json.dumps(part, indent=1, sort_keys=True, ensure_ascii=False)
        kept.write_text(text + "\n", encoding="utf-8")
        print(kept)


if __name__ == "__main__":
    main()
