"""The README's section on speed: search, retraining, growth."""

from typing import Any

from zonas_edge.report.words import short_commit

SPEED_COLUMNS = (
    "batch",
    "phase",
    "candidates live",
    "textbook, s a window",
    "engine, s a window",
    "ratio",
    "of the floor",
)


def place(environment: dict[str, Any]) -> str:
    """Where and when a speed was measured."""
    machine = environment["machine"]
    device = environment["device"]
    return (
        f"{machine['cpu'] if device == 'cpu' else device}, {machine['cores']} cores,"
        f" {environment['threads']} threads, torch {environment['torch']},"
        f" {environment['date']}, commit {short_commit(environment['commit'])}"
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
