"""A comparison's results as they are committed: one file a data set.

python benchmarks/keep_comparison.py exports/compare
python benchmarks/keep_comparison.py exports/spread --kind spread    # of one method
python benchmarks/keep_comparison.py exports/budgets --kind penalty  # its budgets
python benchmarks/tables.py

A result that can't be traced to one commit's code, or whose networks were made under
different settings, is refused.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import checkout


def refusal(results: dict[str, Any]) -> str | None:
    """Why results may not be committed, or None."""
    if not results["rows"]:
        return "no network in it"
    for commit in results["commits"] or ["unknown"]:
        if commit == "unknown" or commit.endswith("+changes"):
            return f"made by code that is no commit ({commit})"
    if len(results["commits"]) > 1:
        return f"made by several commits ({', '.join(results['commits'])})"
    if results["mixed"]:
        return f"mixed settings: {results['mixed'][0]}"
    return None


def parts(
    results: dict[str, Any], date: str, note: str = ""
) -> dict[str, dict[str, Any]]:
    """The committed object of every data set, by its name."""
    shared = ("schema", "reference", "environment", "commit", "commits")
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
    parser.add_argument("folder", type=Path, help="of zonas-edge compare")
    parser.add_argument(
        "--kind",
        choices=("compare", "spread", "penalty"),
        default="compare",
        help="how the files are named: methods side by side, many seeds of one, or"
        " what budgets do to one",
    )
    parser.add_argument("--note", default="", help="what else a reader must know")
    arguments = parser.parse_args()
    file = arguments.folder / "results.json"
    results = json.loads(file.read_text(encoding="utf-8"))
    if (reason := refusal(results)) is not None:
        sys.exit(f"{file}: {reason}")
    date = datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
    for name, part in parts(results, date, arguments.note).items():
        kept = checkout.RESULTS / f"{arguments.kind}-{name}.json"
        text = json.dumps(part, indent=1, sort_keys=True, ensure_ascii=False)
        kept.write_text(text + "\n", encoding="utf-8")
        print(kept)


if __name__ == "__main__":
    main()
