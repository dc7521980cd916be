"""A results file of search_speed.py that is made in pieces.

A piece joins what is there, and takes the place of what was measured before, if both
come from the same code on the same machine. So figures beside each other compare.
"""

import json
import sys
from pathlib import Path
from typing import Any

_TABLES = ("matrix_gflops", "convolution_gflops", "peak_memory_mib", "full_search")


def begun(path: Path, head: dict[str, Any]) -> dict[str, Any] | None:
    """The file that a piece is to join, or None.

    Args:
        path: of the results.
        head: what the piece is of, as far as is known before anything is measured.

    Raises:
        SystemExit: the two don't belong together.
    """
    if not path.is_file():
        return None
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    facts, others = (
        result["environment"] | {key: result[key] for key in ("quick", "shape")}
        for result in (head, before)
    )
    keys = sorted((facts.keys() | others.keys()) - {"date"})
    differing = [key for key in keys if facts.get(key) != others.get(key)]
    if differing:
        sys.exit(f"{path}: differs in {', '.join(differing)}; --anew begins it anew")
    return before


def joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The content of a results file and a new piece of it."""
    rows = {_place(row): row for row in before["rows"] + now["rows"]}
    tables = {key: {**before[key], **now[key]} for key in _TABLES}
    return now | tables | {"rows": [rows[place] for place in sorted(rows)]}


def _place(row: dict[str, Any]) -> tuple[int, float]:
    return row["batch"], row["progress"]
