"""The README's tables, made from the results that are committed.

python benchmarks/tables.py           # rewrites README.md between its markers
python benchmarks/tables.py --check   # exit 1 if they differ
"""

import argparse
import json
import sys
from typing import Any

import checkout
from latency_tables import binding_latency, latency_error

from zonas_edge.search.method import METHODS

README = checkout.ROOT / "README.md"
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
SPEED_COLUMNS = (
    "batch",
    "phase",
    "candidates live",
    "textbook, s a window",
    "engine, s a window",
    "ratio",
    "of the floor",
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


def read(pattern: str) -> list[dict[str, Any]]:
    """The committed results whose file name matches, in order of name."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(checkout.RESULTS.glob(pattern))
    ]


def runs() -> str:
    """Every results file of whole runs."""
    return "\n\n".join(table(result) for result in read("run-*.json"))


def place(environment: dict[str, Any]) -> str:
    """Where and when a speed was measured."""
    machine = environment["machine"]
    device = environment["device"]
    return (
        f"{machine['cpu'] if device == 'cpu' else device}, {machine['cores']} cores,"
        f" {environment['threads']} threads, torch {environment['torch']},"
        f" {environment['date']}, commit {environment['commit'][:10]}"
    )


def search_speed(result: dict[str, Any]) -> str:
    """One machine: a row a phase and batch size, and the full searches."""
    lines = [
        f"**Search** ({place(result['environment'])})",
        "",
        f"| {' | '.join(SPEED_COLUMNS)} |",
        "|--:|---|--:|--:|--:|--:|--:|",
    ]
    for row in result["rows"]:
        times = [
            f"{found['median']:.3g} ({found['min']:.3g}-{found['max']:.3g})"
            for found in (
                row["textbook_seconds_per_window"],
                row["engine_seconds_per_window"],
            )
        ]
        phase = row["phase"]
        if phase == "late":
            phase = f"late, {row['progress']:.0%}"
        lines.append(
            f"| {row['batch']} | {phase} | {row['live_candidates']:.0%}"
            f" | {times[0]} | {times[1]} | {row['ratio']:.1f}"
            f" | {row['fraction_of_floor']:.0%} |"
        )
    notes = [
        f"{name}: {full['seconds']:.0f} s for {full.get('epochs_run', full['epochs'])}"
        f" of {full['epochs']} epochs"
        if full["seconds"] is not None
        else f"{name}: not measured ({full['reason']})"
        for name, full in result["full_search"].items()
    ]
    notes += [
        f"peak memory at batch {batch}, {which}: {mib:.0f} MiB"
        for batch, peaks in (result["peak_memory_mib"] or {}).items()
        for which, mib in peaks.items()
    ]
    rates = {**result["matrix_gflops"], **result["convolution_gflops"]}
    notes += [f"{name}: {rate:.0f} GFLOP/s" for name, rate in rates.items()]
    return "\n".join([*lines, "", f"Full searches and limits: {'; '.join(notes)}."])


def retrain_speed(result: dict[str, Any]) -> str:
    """One machine: images per second."""
    plain, ours = (
        result[f"{which}_images_per_second"]["median"] for which in ("textbook", "our")
    )
    return (
        f"**Retraining** ({place(result['environment'])}): a network of"
        f" {result['parameters']:,} parameters at batch {result['batch']}, textbook"
        f" {plain:.0f} images/s, ours {ours:.0f}, ratio {result['ratio']:.2f}."
    )


def growth(result: dict[str, Any]) -> str:
    """One machine: a row for what grows."""
    rows = result["rows"]
    times = list(rows[0]["seconds"])
    base = f"{result['images']} images and {result['epochs']} epochs"
    lines = [
        f"**Growth** ({place(result['environment'])}), seconds; 1x is {base}",
        "",
        f"| what grows | {' | '.join(f'{n}x' for n in times)} | off a straight line |",
        f"|---|{'--:|' * len(times)}--:|",
    ]
    for row in rows:
        cells = [
            f"{found['median']:.3g} ({found['min']:.3g}-{found['max']:.3g})"
            for found in row["seconds"].values()
        ]
        lines.append(
            f"| {row['grows']} | {' | '.join(cells)} | at most {row['deviation']:.1%} |"
        )
    return "\n".join(lines)


def speed() -> str:
    """Every results file of speed."""
    parts = [
        render(result)
        for name, render in (
            ("search_speed", search_speed),
            ("retrain_speed", retrain_speed),
            ("growth", growth),
        )
        for result in read(f"{name}-*.json")
    ]
    return "\n\n".join(parts) or "Not measured yet."


def latency() -> str:
    """Every results file of latency."""
    parts = [latency_error(result) for result in read("latency-error*.json")]
    parts += [binding_latency(result) for result in read("binding-latency*.json")]
    return "\n\n".join(parts) or "Not measured yet."


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


SECTIONS = {"latency": latency, "results": runs, "speed": speed, "methods": methods}
"""What stands between the markers of each name."""


def updated(readme: str) -> str:
    """The README with its tables as the results say."""
    for name, render in SECTIONS.items():
        begin = f"<!-- {name}: made by benchmarks/tables.py -->"
        end = f"<!-- /{name} -->"
        before, rest = readme.split(begin)
        _, after = rest.split(end)
        readme = f"{before}{begin}\n\n{render()}\n\n{end}{after}"
    return readme


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
