"""The README's tables, made from the results that are committed.

python benchmarks/tables.py           # rewrites README.md between its markers
python benchmarks/tables.py --check   # exit 1 if they differ
"""

import argparse
import json
import sys
from typing import Any

from provenance import RESULTS, ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- results: made by benchmarks/tables.py -->", "<!-- /results -->"
COLUMNS = (
    "profile",
    "seed",
    "test accuracy (95 %)",
    "AUC",
    "parameters",
    "MACs",
    "p95 limit / estimate",
    "file",
    "host p50 / p95",
    "search + retrain",
    "verdict",
)


def table(result: dict[str, Any]) -> str:
    """One data set: a row a run, the mean, and where it was measured."""
    dataset, rows = result["dataset"], result["rows"]
    counts = " / ".join(f"{dataset[split]:,}" for split in ("train", "val", "test"))
    lines = [
        f"**{dataset['name']}** ({counts} images)",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        low, high = row["accuracy_ci95"]
        (limit,) = (
            part["allowed"]
            for part in row["limits"]
            if part["name"] == "latency_p95_ms"
        )
        latency = row["host_latency_ms"]
        lines.append(
            f"| {row['profile']} | {row['seed']}"
            f" | {row['accuracy']:.3f} ({low:.3f}-{high:.3f})"
            f" | {row['auc']:.3f} | {row['parameters']:,}"
            f" | {row['macs'] / 1e6:.1f} M"
            f" | {limit:g} / {row['estimated_p95_ms']:.2f} ms"
            f" | {row['model_bytes'] / 1024:,.0f} KiB"
            f" | {latency['p50']:.3f} / {latency['p95']:.3f} ms"
            f" | {row['search_seconds'] / 60:.0f}"
            f" + {row['retrain_seconds'] / 60:.0f} min"
            f" | {row['verdict']} |"
        )
    first = rows[0]
    environment = first["environment"]
    changed = sum(row["parity_val"]["changed"] for row in rows)
    images = sum(row["parity_val"]["images"] for row in rows)
    lines += [
        "",
        f"Mean accuracy {result['mean_accuracy']:.3f}, mean AUC"
        f" {result['mean_auc']:.3f} over {len(rows)} seed"
        f"{'s' if len(rows) > 1 else ''}; {first['epochs']} search epochs,"
        f" {first['retrain_epochs']} retraining epochs; file against network: {changed}"
        f" of {images:,} val decisions changed. {result['machine']['cpu']},"
        f" {environment['threads']} thread, torch {environment['torch']},"
        f" onnxruntime {environment['onnxruntime']}, {result['date']},"
        f" commit {result['commit'][:10]}. {result['note']}".rstrip(),
    ]
    return "\n".join(lines)


def rendered() -> str:
    """Every results file of whole runs, in order of name."""
    parts = [
        table(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(RESULTS.glob("run-*.json"))
    ]
    return "\n\n".join(parts)


def updated(readme: str) -> str:
    """The README with its tables as the results say."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{rendered()}\n\n{END}{after}"


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    readme = README.read_text(encoding="utf-8")
    new = updated(readme)
    if check and new != readme:
        sys.exit("README.md: its tables differ; python benchmarks/tables.py")
    if not check:
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
