"""What follows from the rows of search_speed.py, and how it is told to a reader."""

from typing import Any

from full_search import SEARCHES

RATIO_BATCH = 64
RATIOS = {"dense": "dense", "size": "size", "late80": "sparse"}
"""What ``ratio`` calls the phases that it is taken in."""


def summarised(result: dict[str, Any]) -> dict[str, Any]:
    """The result with what follows from its rows and searches."""
    rows = result["rows"]
    batches = [row["batch"] for row in rows]
    chosen = RATIO_BATCH if RATIO_BATCH in batches or not rows else batches[-1]
    left_out = {"seconds": None, "reason": "left out of this run"}
    full = dict.fromkeys(SEARCHES, left_out) | result["full_search"]

    def of_phases(key: str) -> dict[str, float]:
        found = {}
        for row in rows:
            if row["batch"] == chosen and row["label"] in RATIOS:
                found[RATIOS[row["label"]]] = row[key]
        return found

    return result | {
        "ratio": of_phases("ratio"),
        "ratio_batch": chosen,
        "fraction_of_floor": of_phases("fraction_of_floor"),
        "full_search_seconds": full["breastmnist"]["seconds"],
        "full_search": full,
    }


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    lines = []
    for row in result["rows"]:
        ours, plain = (
            row[f"{which}_seconds_per_window"] for which in ("engine", "textbook")
        )
        lines.append(
            f"batch {row['batch']:>3} {row['phase']:>5} at {row['progress']:>4.0%}:"
            f" textbook {plain['median']:.3f} s a window"
            f" ({plain['min']:.3f}-{plain['max']:.3f},"
            f" {row['textbook_gflops']:.0f} GFLOP/s),"
            f" engine {ours['median']:.3f} s ({ours['min']:.3f}-{ours['max']:.3f}),"
            f" ratio {row['ratio']:.2f}, {row['live_candidates']:.0%} of the"
            f" candidates live, {row['fraction_of_floor']:.0%} of the floor"
        )
    for name, rates in (
        ("matrix product", result["matrix_gflops"]),
        ("plain 7x7 convolution", result["convolution_gflops"]),
    ):
        figures = ", ".join(f"{key} {value:.0f}" for key, value in rates.items())
        lines.append(f"{name}, GFLOP/s: {figures}")
    for name, full in result["full_search"].items():
        seconds = full["seconds"]
        found = full["reason"] if seconds is None else f"{seconds:.1f} s"
        lines.append(f"full search, {name}: {found}")
    for batch, peak in result["peak_memory_mib"].items():
        figures = ", ".join(f"{which} {mib:.0f} MiB" for which, mib in peak.items())
        lines.append(f"peak memory, batch {batch}: {figures}")
    return "\n".join(lines)
