"""The README's pictures: accuracy against what a network costs, search beside chance.

Drawn by benchmarks/tables.py, from the comparisons that are committed.
"""

from pathlib import Path

import checkout
from comparison_tables import Results, rows_of

from zonas_edge.compare.pictures import Pictures, scatters
from zonas_edge.report.plots import draw
from zonas_edge.search.method import DEFAULT, MethodName

FOLDER = checkout.ROOT / "benchmarks"
SHOWN = (DEFAULT, MethodName.RANDOM, MethodName.RANDOM_SINGLE)


def draw_fronts(results: Results, out: Path = FOLDER) -> tuple[Path, ...]:
    """Draw every data set against every cost into ``<out>/plots``.

    Args:
        results: of ``compare-<dataset>.json``.
        out: folder.

    Returns:
        The files, SVG.
    """
    shown = [row for row in rows_of(results) if row.method in SHOWN]
    return draw(Pictures(scatters(shown), (), ()), out, endings=["svg"])
