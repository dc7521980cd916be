"""What the plots show, as values: fronts, probabilities by epoch, sampled sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zonas_edge.architecture import Mixture, Probabilities
from zonas_edge.artifact import Run, read_lines
from zonas_edge.compare.findings import COSTS, Cost, points_of
from zonas_edge.compare.folder import Folder
from zonas_edge.compare.front import Point, pareto
from zonas_edge.compare.row import Row
from zonas_edge.cost import exact, parameter_table
from zonas_edge.pipeline.request import request_of
from zonas_edge.pipeline.search import space_of
from zonas_edge.search.selection import draw
from zonas_edge.seed import derived_seed
from zonas_edge.space import TaskSpec

DRAWS = 300
"""Networks drawn from each final mixture, as in the published figures."""


@dataclass(frozen=True)
class Cloud:
    """A method's networks, and those that none of them dominates."""

    method: str
    points: tuple[Point, ...]
    front: tuple[Point, ...]


@dataclass(frozen=True)
class Scatter:
    """Accuracy against a cost on one data set.

    Args:
        dataset: of the networks.
        cost: that accuracy is set against.
        clouds: a method each.
        budgets: largest numbers of parameters allowed.
    """

    dataset: str
    cost: Cost
    clouds: tuple[Cloud, ...]
    budgets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Course:
    """One search's operations by epoch.

    Args:
        run: its name.
        epochs: numbers.
        op: probabilities ``[epoch, stage, edge, op]``.
        sizes_from: first epoch in which kernels and depths were searched, or None.
    """

    run: str
    epochs: tuple[int, ...]
    op: npt.NDArray[np.float64]
    sizes_from: int | None


@dataclass(frozen=True)
class Sampled:
    """Sizes of networks drawn from the final mixtures of a method, all seeds.

    Args:
        method: that found the mixtures.
        parameters: of each network drawn, simplified; the unconnected are left out.
    """

    method: str
    parameters: tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """Sampled sizes beside the budget that the searches were held to."""

    dataset: str
    profile: str
    least: int | None
    most: int
    sampled: tuple[Sampled, ...]


@dataclass(frozen=True)
class Pictures:
    """Everything that is drawn."""

    scatters: tuple[Scatter, ...]
    courses: tuple[Course, ...]
    sizes: tuple[Sizes, ...]


def pictures(rows: Sequence[Row], out: Path) -> Pictures:
    """What the runs of a comparison have to show.

    Args:
        rows: of its networks.
        out: the comparison's folder.

    Raises:
        UsageError: a file of a run can't be read.
    """
    runs = Folder(out).runs
    # without a history: reference networks, and searches that train nothing
    searched = [row for row in rows if read_lines(Run(runs / row.run).history)]
    first = {
        (row.dataset, row.profile, row.method): row
        for row in sorted(searched, key=lambda row: row.seed, reverse=True)
    }
    return Pictures(
        scatters=scatters(rows),
        courses=tuple(course(Run(runs / row.run)) for row in first.values()),
        sizes=_sizes(searched, runs),
    )


def scatters(rows: Sequence[Row]) -> tuple[Scatter, ...]:
    """Accuracy against each cost, one picture a data set."""
    found = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        of_dataset = [row for row in rows if row.dataset == dataset]
        budgets = tuple(sorted({row.budget for row in of_dataset}))
        for cost in COSTS:
            own = [row for row in of_dataset if getattr(row, cost) is not None]
            clouds = tuple(
                _cloud(method, [row for row in own if row.method == method], cost)
                for method in dict.fromkeys(row.method for row in own)
            )
            shown = budgets if cost == "parameters" else ()
            if clouds:
                found.append(Scatter(dataset, cost, clouds, shown))
    return tuple(found)


def _cloud(method: str, rows: Sequence[Row], cost: Cost) -> Cloud:
    points = tuple(points_of(rows, cost))
    return Cloud(method, points, pareto(points))


def course(run: Run) -> Course:
    """A run's history as it is drawn.

    Raises:
        UsageError: it can't be read.
    """
    lines = read_lines(run.history)
    sizes = [int(line["epoch"]) for line in lines if line["sizes"]]
    return Course(
        run=run.name,
        epochs=tuple(int(line["epoch"]) for line in lines),
        op=np.array([line["mixture"]["op"] for line in lines], dtype=np.float64),
        sizes_from=min(sizes, default=None),
    )


def _sizes(rows: Sequence[Row], runs: Path) -> tuple[Sizes, ...]:
    found = []
    for dataset, profile in dict.fromkeys((row.dataset, row.profile) for row in rows):
        own = [row for row in rows if (row.dataset, row.profile) == (dataset, profile)]
        sampled = tuple(
            Sampled(
                method,
                tuple(
                    parameters
                    for row in own
                    if row.method == method
                    for parameters in sampled_parameters(Run(runs / row.run))
                ),
            )
            for method in dict.fromkeys(row.method for row in own)
        )
        found.append(
            Sizes(dataset, profile, own[0].min_parameters, own[0].budget, sampled)
        )
    return tuple(found)


def sampled_parameters(run: Run) -> tuple[int, ...]:
    """Sizes of networks drawn from a run's final mixture, the same each time.

    Raises:
        UsageError: a file of the run can't be read.
    """
    request = request_of(run)
    channels, height, width = run.read()["dataset"]["image"]
    classes = len(run.read()["dataset"]["class_names"])
    space = space_of(request)
    table = parameter_table(space, TaskSpec(channels, height, width, classes))
    mixture: Probabilities = Mixture(
        **{
            name: np.asarray(value, dtype=np.float64)
            for name, value in read_lines(run.history)[-1]["mixture"].items()
        }
    )
    rng = np.random.default_rng(derived_seed(request.seed, "sampled sizes"))
    drawn = draw(mixture, DRAWS, channels=space.channels, rng=rng, tied=not space.sizes)
    return tuple(
        int(exact(table, network.simplified()))
        for network in drawn
        if network.connected
    )
