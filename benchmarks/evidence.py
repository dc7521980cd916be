"""Whole runs on real data, and the results file that the README's figures come from.

    # makes the runs, then collects them; further options go to zonas-edge run
    python benchmarks/evidence.py run --profile P --dataset D --seeds 0 1 2
    python benchmarks/evidence.py collect exports/RUN exports/RUN ...

``collect`` reads finished runs and writes ``benchmarks/results/run-<dataset>.json``.
It only reads what ``zonas-edge validate`` has reported; it never opens a test split.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import checkout
from provenance import traceable

from zonas_edge.compare.row import searched_seconds


def row_of(run: Path) -> dict[str, Any]:
    """One run's figures, from its record and its report."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    search, request = record["search"], record["request"]
    return {
        "run": run.name,
        "profile": request["profile"]["name"],
        "seed": request["seed"],
        "epochs": request["epochs"],
        "epochs_run": search["epochs"],
        "retrain_epochs": request["retrain_epochs"],
        "trial_epochs": request["trial_epochs"],
        "search_images": request["search_images"],
        "method": request["method"],
        "alpha_updates": search["alpha_updates"],
        "mean_maximum": search["mean_maximum"],
        "converged": search["converged"],
        "fitting": search["fitting"],
        "repaired": search["repaired"],
        "parameters": report["parameters"],
        "macs": report["macs"],
        "model_bytes": report["model_bytes"],
        "estimated_p95_ms": search["estimated_latency_ms"]["p95"],
        "host_latency_ms": report["latency_ms"],
        "val_accuracy": record["retrain"]["val_accuracy"],
        "accuracy": report["accuracy"],
        "accuracy_ci95": report["accuracy_ci95"],
        "auc": report["auc"],
        "auc_ci95": report["auc_ci95"],
        "verdict": report["verdict"],
        "limits": report["limits"],
        "parity_val": record["export"]["parity"],
        "test_openings": record["test_openings"],
        "search_seconds": searched_seconds(search),
        "retrain_seconds": record["retrain"]["retrain_seconds"],
        "environment": record["environment"],
    }


def collect(runs: Sequence[Path], note: str) -> Path:
    """Write the results file of finished runs on one data set.

    Raises:
        SystemExit: a run isn't finished, or they are not on the same data, or of one
            commit, one machine and one set of options.
    """
    records = []
    for run in runs:
        if not (run / "report.json").is_file():
            sys.exit(f"{run}: not finished, no report.json")
        records.append(json.loads((run / "run.json").read_text(encoding="utf-8")))
    datasets = {record["dataset"]["sha256"]: record["dataset"] for record in records}
    if len(datasets) != 1:
        sys.exit(f"the runs are on {len(datasets)} data sets, not 1")
    (dataset,) = datasets.values()
    rows = sorted((row_of(run) for run in runs), key=lambda row: row["seed"])
    for key in ("epochs", "retrain_epochs", "trial_epochs", "search_images", "method"):
        if len(found := {row[key] for row in rows}) != 1:
            sys.exit(f"the runs differ in {key}: {', '.join(map(str, found))}")
    result = {
        "schema": 1,
        "dataset": {
            key: dataset[key]
            for key in ("name", "sha256", "licence", "train", "val", "test")
        },
        "mean_accuracy": fmean(row["accuracy"] for row in rows),
        "mean_auc": fmean(row["auc"] for row in rows),
        "rows": rows,
        "note": note,
        **made_then(records),
    }
    checkout.RESULTS.mkdir(exist_ok=True)
    path = checkout.RESULTS / f"run-{dataset['name']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def made_then(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Machine, date and commit of runs, by their own records.

    Raises:
        SystemExit: they are several, or code that is no commit.
    """
    found = {
        "cpu": {record["environment"]["cpu"] for record in records},
        "machine": {record["environment"]["machine"] for record in records},
        # a run that was gone on with names each code that worked on it
        "commit": {
            commit
            for record in records
            for commit in record.get("commits") or [record["environment"]["commit"]]
        },
    }
    for key, values in found.items():
        if len(values) != 1:
            sys.exit(f"the runs are of {key} {', '.join(sorted(values))}")
    told = {key: value for key, (value,) in found.items()}
    if not traceable(told["commit"]):
        sys.exit(f"the runs were made by code that is no commit ({told['commit']})")
    return {
        "machine": {"cpu": told["cpu"], "machine": told["machine"]},
        "date": max(record["created"] for record in records)[:10],
        "commit": told["commit"],
    }


def make(arguments: argparse.Namespace) -> list[Path]:
    """Make a run for each seed; a finished one is kept."""
    runs = []
    for seed in arguments.seeds:
        stem = Path(arguments.dataset).stem
        name = f"evidence-{stem}-{arguments.profile}-{seed}"
        command = [
            *(sys.executable, "-m", "zonas_edge", "run", "--resume", "--name", name),
            *("--profile", arguments.profile, "--dataset", arguments.dataset),
            *("--seed", str(seed), "--out", str(arguments.out)),
            *arguments.options,
        ]
        subprocess.run(command, check=False, cwd=checkout.ROOT)
        runs.append(arguments.out / name)
    return runs


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--note", default="", help="what a reader must know")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--profile", required=True)
    run.add_argument("--dataset", required=True)
    run.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    run.add_argument("--out", type=Path, default=checkout.ROOT / "exports")
    collected = commands.add_parser("collect")
    collected.add_argument("runs", type=Path, nargs="+")
    arguments, options = parser.parse_known_args()
    if arguments.command == "run":
        arguments.options = options
        runs = make(arguments)
    elif options:
        parser.error(f"unknown option {options[0]}")
    else:
        runs = arguments.runs
    print(collect(runs, arguments.note))


if __name__ == "__main__":
    main()
