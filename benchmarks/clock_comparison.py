"""Measure the networks of committed results in turns, and write it into their rows.

python benchmarks/clock_comparison.py FILE.json exports/compare
python benchmarks/tables.py

For results of code that measured each network by itself; ``compare`` does it now
whenever it ends. The runs must still be there, and be those of the rows. Let the
machine do nothing else meanwhile.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - what is measured is the code that lies here

from zonas_edge.artifact import Run
from zonas_edge.compare.clock import clocked_by, together
from zonas_edge.compare.row import report_of
from zonas_edge.pipeline.request import request_of


def clocked(result: dict[str, Any], runs: Path) -> dict[str, Any]:
    """A committed result with the undisturbed latency of every network.

    Args:
        result: as it was committed.
        runs: folder of its runs.

    Raises:
        ValueError: a run is another than its row's.
    """
    found = {row["run"]: Run(runs / row["run"]) for row in result["rows"]}
    for row in result["rows"]:
        report = report_of(found[row["run"]])
        if (report.accuracy, report.parameters) != (row["accuracy"], row["parameters"]):
            raise ValueError(f"{found[row['run']].path}: not the network of the row")
    asked = {request_of(run).profile.runtime for run in found.values()}
    (runtime,) = asked  # several can't be compared
    times = together(list(found.values()), runtime, print)
    return result | {
        "rows": [
            row | {"latency_undisturbed_ms": times[row["run"]]}
            for row in result["rows"]
        ],
        "clock": [clocked_by()],
    }


def main() -> None:
    """Write a result file anew, with latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="a committed result")
    parser.add_argument("folder", type=Path, help="of the comparison that made it")
    arguments = parser.parse_args()
    result = json.loads(arguments.file.read_text(encoding="utf-8"))
    try:
        told = clocked(result, arguments.folder / "runs")
    except ValueError as error:
        sys.exit(str(error))
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    arguments.file.write_text(text + "\n", encoding="utf-8")
    print(arguments.file)


if __name__ == "__main__":
    main()
