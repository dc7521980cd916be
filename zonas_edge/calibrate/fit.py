"""From measured networks to the time of every candidate, and how good that is.

Times are not negative, and a network's is the sum over what it is made of; so this is
a least-squares problem with non-negative unknowns. Each equation is divided by what was
measured, since ten percent of a small network matter as much as of a large one.

Source: Lawson & Hanson (1974), the algorithm of scipy.optimize.nnls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import spearmanr

from zonas_edge.architecture import Architecture
from zonas_edge.calibrate.design import row_of, table_of
from zonas_edge.cost import CostTable, exact
from zonas_edge.errors import TargetError
from zonas_edge.profile import FittedError

NEAR = 0.10


@dataclass(frozen=True)
class Observation:
    """What a network took on the device.

    Args:
        architecture: simplified.
        undisturbed_ms: latency while nothing came between, see ``measuring``.
        source: ``fit``, ``held out``, or ``run/`` and the name of a validated run.
    """

    architecture: Architecture
    undisturbed_ms: float
    source: str


def fit(observations: Sequence[Observation]) -> CostTable:
    """The times that explain the observations best, in milliseconds.

    Raises:
        TargetError: a device whose times don't grow with what it computes.
    """
    rows = np.array(
        [row_of(seen.architecture) / seen.undisturbed_ms for seen in observations]
    )
    try:
        times, _ = nnls(rows, np.ones(len(rows)))
    except RuntimeError as error:  # too many iterations
        raise TargetError(
            f"calibrate: no fit of the measured times ({error})",
            "repeat it while the device does nothing else",
        ) from error
    if times[0] == 0:
        raise TargetError(
            "calibrate: the measured times are not those of networks, a network"
            " without cells would take 0 ms",
            "repeat it while the device does nothing else",
        )
    return table_of(times)


def relative_errors(
    table: CostTable, observations: Sequence[Observation]
) -> npt.NDArray[np.float64]:
    """Predicted over measured, less one, of each observation."""
    return np.array(
        [
            exact(table, seen.architecture) / seen.undisturbed_ms - 1
            for seen in observations
        ]
    )


def error_of(table: CostTable, observations: Sequence[Observation]) -> FittedError:
    """How far predictions are from observations; at least two of them."""
    errors = np.abs(relative_errors(table, observations))
    measured = np.array([seen.undisturbed_ms for seen in observations])
    predicted = [exact(table, seen.architecture) for seen in observations]
    rank = float(spearmanr(predicted, measured).statistic)
    return FittedError(
        networks=len(observations),
        within_10_percent=float((errors <= NEAR).mean()),
        median=float(np.median(errors)),
        largest=float(errors.max()),
        rank_correlation=0.0 if np.isnan(rank) else rank,
    )
