"""The plots of a comparison, as PNG and SVG.

Colours are told apart by the colour-blind (Okabe & Ito, 2008), and never alone: every
method has a marker of its own too. The same values give the same bytes.
"""

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from zonas_edge.artifact import write_bytes
from zonas_edge.artifact.files import plain_errors
from zonas_edge.compare.findings import Cost
from zonas_edge.compare.pictures import Cloud, Course, Pictures, Scatter, Sizes
from zonas_edge.report.words import plain
from zonas_edge.space import EDGES, OPS, STAGES

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C6D31",
)
MARKERS = "osD^vPX*<>"
_TURNS = ("-", "--", ":")
"""How lines are drawn that have a colour for the first, second and third time."""
_DPI = 150
_WIDE = 10.0
"""Ratio of the largest to the smallest cost from which the axis is logarithmic."""
_AXES: dict[Cost, tuple[str, str]] = {
    "parameters": ("parameters", "parameters"),
    "latency_undisturbed_ms": (
        "latency",
        "undisturbed latency on the measuring machine [ms]",
    ),
}
_NUMBERS: dict[Cost, str] = {
    "parameters": "{x:,.0f}",
    "latency_undisturbed_ms": "{x:g}",
}


def draw(
    pictures: Pictures, out: Path, *, endings: Sequence[str] = ("png", "svg")
) -> tuple[Path, ...]:
    """Write every plot into ``<out>/plots``.

    Args:
        pictures: what is drawn.
        out: folder, made if need be.
        endings: of the files, one each.

    Returns:
        The files.

    Raises:
        UsageError: the system refuses.
    """
    folder = out / "plots"
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = []
    with mpl.rc_context(
        {"svg.hashsalt": "zonas-edge", "font.size": 9.0, "axes.axisbelow": True}
    ):
        for name, figure in _figures(pictures):
            for ending in endings:
                file = folder / f"{_file_name(name)}.{ending}"
                write_bytes(file, _bytes(figure, ending))
                files.append(file)
    return tuple(files)


def _figures(pictures: Pictures) -> Iterator[tuple[str, Figure]]:
    for scatter in pictures.scatters:
        short, _ = _AXES[scatter.cost]
        yield f"accuracy-{short}-{scatter.dataset}", scatter_figure(scatter)
    for sizes in pictures.sizes:
        yield f"sizes-{sizes.dataset}-{sizes.profile}", sizes_figure(sizes)
    for course in pictures.courses:
        yield f"probabilities-{course.run}", course_figure(course)


def _file_name(words: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", words)


def _label(words: str) -> str:
    """A user's word in a plot, where two dollars would be a formula."""
    return plain(words).replace("$", r"\$")


def _bytes(figure: Figure, ending: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if ending == "svg" else {"Software": None}
    figure.savefig(
        buffer, format=ending, dpi=_DPI, metadata=metadata, bbox_inches="tight"
    )
    return buffer.getvalue()


def scatter_figure(scatter: Scatter) -> Figure:
    """Networks, and the front of each method."""
    figure = Figure(figsize=(7.0, 4.4))
    axes = figure.add_subplot()
    for number, cloud in enumerate(scatter.clouds):
        _cloud(axes, cloud, number)
    for budget in scatter.budgets:
        axes.axvline(budget, color="0.6", linestyle=":", linewidth=1)
    costs = [cost for cloud in scatter.clouds for cost, _ in cloud.points]
    if max(costs) > _WIDE * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axes.xaxis.set_minor_formatter(_NUMBERS[scatter.cost])
    axes.xaxis.set_major_formatter(_NUMBERS[scatter.cost])
    short, long = _AXES[scatter.cost]
    axes.set_xlabel(long)
    axes.set_ylabel("test accuracy")
    dotted = "; dotted: the budgets" if scatter.budgets else ""
    axes.set_title(
        f"{_label(scatter.dataset)}: accuracy against {short}\n"
        f"(points: networks; lines: each method's Pareto front{dotted})",
        fontsize=9,
    )
    axes.grid(color="0.92")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def _cloud(axes: Axes, cloud: Cloud, number: int) -> None:
    """A method's points and front; where colours repeat, markers are hollow."""
    turn = number // len(COLOURS) % len(_TURNS)
    style: dict[str, Any] = {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "fillstyle": "none" if turn else "full",
    }
    x, y = zip(*cloud.points, strict=True)
    axes.plot(x, y, linestyle="none", markersize=5, alpha=0.55, **style)
    x, y = zip(*cloud.front, strict=True)
    axes.plot(
        x,
        y,
        drawstyle="steps-post",
        linestyle=_TURNS[turn],
        linewidth=1.3,
        markersize=6,
        label=_label(cloud.method),
        **style,
    )


def course_figure(course: Course) -> Figure:
    """One panel an edge, one line an operation."""
    figure = Figure(figsize=(11.0, 5.6))
    grid = figure.subplots(STAGES, len(EDGES), sharex=True, sharey=True, squeeze=False)
    axes: Axes
    for (stage, edge), axes in np.ndenumerate(grid):
        for column, op in enumerate(OPS):
            axes.plot(
                course.epochs,
                course.op[:, stage, edge, column],
                color=COLOURS[column],
                marker=MARKERS[column],
                markersize=3,
                markevery=max(1, len(course.epochs) // 8),
                linewidth=1.2,
                label=op.value,
            )
        if course.sizes_from is not None:
            axes.axvline(course.sizes_from, color="0.6", linestyle=":", linewidth=1)
        axes.set_ylim(-0.04, 1.04)
        axes.grid(color="0.92")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        source, target = EDGES[edge]
        axes.set_title(f"stage {stage + 1}, edge {source} to {target}", fontsize=8)
    figure.supxlabel(
        "epoch of the search (dotted: kernels and depths join)", fontsize=9
    )
    figure.supylabel("probability of the candidate", fontsize=9)
    figure.suptitle(_label(course.run), fontsize=10)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.955),
        ncols=len(OPS),
        frameon=False,
    )
    figure.tight_layout(rect=(0.01, 0.01, 1.0, 0.93))
    return figure


def sizes_figure(sizes: Sizes) -> Figure:
    """One histogram a method, all on one scale, the budget shaded."""
    drawn = [size for one in sizes.sampled for size in one.parameters]
    low = min([*drawn, sizes.least or sizes.most])
    high = max([*drawn, sizes.most])
    bins: list[float] = np.geomspace(low * 0.95, high * 1.05, 50).tolist()
    count = len(sizes.sampled)
    figure = Figure(figsize=(7.0, 1.2 + 1.1 * count))
    grid = figure.subplots(count, 1, sharex=True, squeeze=False)
    axes: Axes
    for one, axes, colour in zip(
        sizes.sampled, grid[:, 0], itertools.cycle(COLOURS), strict=False
    ):
        axes.axvspan(sizes.least or bins[0], sizes.most, color="0.93", zorder=0)
        for bound in (sizes.least, sizes.most):
            if bound is not None:
                axes.axvline(bound, color="0.3", linestyle=":", linewidth=1)
        axes.hist(one.parameters, bins=bins, color=colour)
        inside = [(sizes.least or 0) <= size <= sizes.most for size in one.parameters]
        share = f"{np.mean(inside):.0%} of {len(inside):,} inside" if inside else "none"
        axes.set_title(f"{_label(one.method)}: {share}", fontsize=8, loc="left", pad=2)
        axes.set_yticks([])
    axes = grid[-1, 0]
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("{x:,.0f}" if high < _WIDE * low else "")
    axes.set_xlim(bins[0], bins[-1])
    axes.set_xlabel("parameters of networks drawn from the final mixture")
    figure.suptitle(
        f"{_label(sizes.dataset)}, {_label(sizes.profile)} (shaded: the budget)",
        fontsize=9,
    )
    figure.tight_layout()
    return figure
