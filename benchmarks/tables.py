"""The documents' tables and pictures, made from the results that are committed.

python benchmarks/tables.py           # rewrites them between their markers
python benchmarks/tables.py --check   # exit 1 if they differ
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import checkout
from comparison_tables import comparisons, details, penalty
from fronts import draw_fronts
from latency_tables import binding_latency, latency_error
from load_tables import load_matrix
from speed_tables import growth, retrain_speed, search_speed

from zonas_edge.figures import count
from zonas_edge.report.words import short_commit
from zonas_edge.search.method import METHODS

PAGES = (checkout.ROOT / "README.md", checkout.ROOT / "benchmarks" / "COMPARISONS.md")
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
        f" {result['mean_auc']:.3f} over {count(len(rows), 'seed')};"
        f" {first['epochs']} search epochs,"
        f" {first['retrain_epochs']} retraining epochs; file against network: {changed}"
        f" of {images:,} val decisions changed. {result['machine']['cpu']},"
        f" {environment['threads']} thread, torch {environment['torch']},"
        f" onnxruntime {environment['onnxruntime']}, {result['date']},"
        f" commit {short_commit(result['commit'])}. {result['note']}".rstrip(),
    ]
    return "\n".join(lines)


def read(pattern: str) -> list[dict[str, Any]]:
    """The committed results whose file name matches, in order of name."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(checkout.RESULTS.glob(pattern))
    ]


def runs() -> str:
    """Every results file of whole runs."""
    return "\n\n".join(table(result) for result in read("run-*.json"))


Render = Callable[[dict[str, Any]], str]


def every(*renders: tuple[str, Render]) -> Callable[[], str]:
    """A section of all results files of some names, each rendered in its way."""

    def section() -> str:
        parts = [
            render(result) for pattern, render in renders for result in read(pattern)
        ]
        return "\n\n".join(parts) or "Not measured yet."

    return section


def methods() -> str:
    """Every method: what it is, its cost, where it comes from."""
    lines = [
        "| `--method` | what it is | passes a batch | rate of alpha | source |",
        "|---|---|--:|--:|---|",
    ]
    for method in METHODS.values():
        rate = f"{method.alpha_rate:g}" if method.decides else "-"
        lines.append(
            f"| `{method.name}` | {method.summary} | {method.passes_per_batch:g}"
            f" | {rate} | {method.source} |"
        )
    return "\n".join(lines)


SECTIONS = {
    "comparisons": lambda: "\n\n".join(
        [
            comparisons(read("compare-*.json"), read("spread-*.json")),
            *map(penalty, read("penalty-*.json")),
        ]
    ),
    "details": lambda: details(read("compare-*.json"), read("spread-*.json")),
    "latency": every(
        ("latency-error*.json", latency_error),
        ("binding-latency*.json", binding_latency),
    ),
    "loads": every(("load-matrix*.json", load_matrix)),
    "methods": methods,
    "results": runs,
    "speed": every(
        ("search_speed-*.json", search_speed),
        ("retrain_speed-*.json", retrain_speed),
        ("growth-*.json", growth),
    ),
}
"""What stands between the markers of each name."""


def updated(page: str) -> str:
    """A document with its tables as the results say."""
    for name, render in SECTIONS.items():
        begin = f"<!-- {name}: made by benchmarks/tables.py -->"
        end = f"<!-- /{name} -->"
        if begin in page:
            before, rest = page.split(begin)
            _, after = rest.split(end)
            page = f"{before}{begin}\n\n{render()}\n\n{end}{after}"
    return page


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = updated(text)
        if check and new != text:
            sys.exit(f"{page.name}: its tables differ; python benchmarks/tables.py")
        if not check:
            page.write_text(new, encoding="utf-8")
    if not check:
        draw_fronts(read("compare-*.json"))


if __name__ == "__main__":
    main()
