"""A calibration for a reader: what was measured, how good the fit is, its times."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.calibrate.model import Calibration
from zonas_edge.calibrate.refit import Comparison
from zonas_edge.figures import count
from zonas_edge.report.words import plain
from zonas_edge.space import KERNELS, OPS, STAGES, Op

BUSY = 2.0
"""Ratio of p95 to the undisturbed time above which something else was running."""
TRUSTED = 0.9
"""Share within 10 % below which a search is misled now and then."""


def calibration_renderable(
    calibration: Calibration,
    file: Path,
    compared: Sequence[Comparison] = (),
) -> RenderableType:
    """The model in words, and its times by stage.

    Args:
        calibration: what was fitted.
        file: where it is.
        compared: the runs that it was fitted with again.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, sentence in _sentences(calibration, file):
        grid.add_row(name, Text(plain(sentence)))
    parts: list[RenderableType] = [grid, _times(calibration)]
    if compared:
        parts.append(_runs(compared))
    return Group(*parts)


def next_command(file: Path, profile: str) -> str:
    """The search that uses a model, in one line, so that it can be copied."""
    words = ["zonas-edge", "search", "--profile", profile, "--latency-model", str(file)]
    return f"next: {plain(shlex.join(words))} --dataset NAME|PATH"


def doubts(calibration: Calibration) -> tuple[str, ...]:
    """Why the model may be of little use, a sentence each."""
    fitted, found = calibration.fitted, []
    disturbed = fitted.p50_over_undisturbed * fitted.p95_over_p50
    if disturbed > BUSY:
        found.append(
            f"p95 is {disturbed:.1f} times the undisturbed time, as on a busy device;"
            " repeat it while the device does nothing else"
        )
    share = fitted.error.within_10_percent
    if share < TRUSTED:
        found.append(
            f"only {share:.0%} of the networks that the fit has not seen were within"
            " 10 %; repeat it with more --networks"
        )
    return tuple(found)


def _sentences(calibration: Calibration, file: Path) -> tuple[tuple[str, str], ...]:
    fitted, error = calibration.fitted, calibration.fitted.error
    channels, height, width = fitted.image
    return (
        ("model", str(file)),
        (
            "measured",
            (
                f"{count(len(calibration.observations), 'network')} on"
                f" {fitted.cpu_model} ({fitted.machine}), onnxruntime"
                f" {fitted.onnxruntime}, {count(fitted.threads, 'thread')},"
                f" fitted {fitted.date}"
            ),
        ),
        (
            "valid for",
            (
                f"{channels}x{height}x{width} images, {fitted.classes} classes,"
                f" {fitted.channels} channels, up to {count(fitted.max_depth, 'cell')}"
                " a stage"
            ),
        ),
        (
            "error",
            (
                f"on {error.networks} networks that the fit has not seen:"
                f" {error.within_10_percent:.0%} within 10 %, median"
                f" {error.median:.1%}, largest {error.largest:.1%}, rank correlation"
                f" {error.rank_correlation:.3f}"
            ),
        ),
        (
            "in one piece",
            (
                f"p50 {fitted.p50_over_undisturbed:.2f} times the undisturbed time,"
                f" p95 {fitted.p95_over_p50:.2f} times p50"
            ),
        ),
        ("fixed part", f"{fitted.fixed_ms:.4f} ms for stem, reductions and head"),
    )


def _times(calibration: Calibration) -> Table:
    """Milliseconds of a candidate on one edge of one cell, by stage."""
    fitted = calibration.fitted
    table = Table("undisturbed ms on an edge", box=None, pad_edge=False)
    for stage in range(STAGES):
        table.add_column(f"stage {stage + 1}", justify="right")
    for column, op in enumerate(OPS):
        if op not in {Op.NONE, Op.CONV}:
            cells = [f"{row[column]:.4f}" for row in fitted.operation_ms]
            table.add_row(op.value, *cells)
    for column, kernel in enumerate(KERNELS):
        cells = [f"{row[column]:.4f}" for row in fitted.kernel_ms]
        table.add_row(f"conv {kernel}x{kernel}", *cells)
    return table


def _runs(compared: Sequence[Comparison]) -> Table:
    """Measured medians beside predictions before and after."""
    table = Table("run", box=None, pad_edge=False)
    for heading in ("measured ms", "predicted before", "predicted now"):
        table.add_column(heading, justify="right")
    for one in compared:
        table.add_row(
            Text(plain(one.run)),
            f"{one.measured_ms:.3f}",
            f"{one.before_ms:.3f}",
            f"{one.after_ms:.3f}",
        )
    return table
