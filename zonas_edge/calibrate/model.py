"""A calibration on the disk: the fitted model, and every observation behind it.

The observations stay in the file, so that a fit can be repeated, checked by others, or
made again with what later validations have measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from zonas_edge.architecture import Architecture
from zonas_edge.artifact import read_json
from zonas_edge.calibrate.fit import Observation, error_of, fit
from zonas_edge.cost import CostTable
from zonas_edge.errors import UsageError
from zonas_edge.latency import undisturbed_table
from zonas_edge.pipeline.host import today
from zonas_edge.profile import FittedLatency
from zonas_edge.profile.reading import SCHEMA

HELD_OUT = "held out"
FIT = "fit"
FEWEST = 2
"""Networks of each of these kinds without which there is no fit."""
RUN = "run/"
"""Before the name of a validated run, which may be any word but holds no slash."""


@dataclass(frozen=True)
class Calibration:
    """A fitted model with its observations.

    Args:
        fitted: what searches use.
        observations: of the fit, held out, and of validated runs.
        settings: how it was measured.
        environment: the machine that measured, with its versions.
    """

    fitted: FittedLatency
    observations: tuple[Observation, ...]
    settings: dict[str, Any]
    environment: dict[str, Any]

    @property
    def table(self) -> CostTable:
        """The fitted cost table, in undisturbed milliseconds."""
        return undisturbed_table(self.fitted)

    def refitted(self, further: Sequence[Observation]) -> Self:
        """The same with further observations; one of the same source is replaced."""
        replaced = {seen.source for seen in further}
        kept = [seen for seen in self.observations if seen.source not in replaced]
        observations = (*kept, *further)
        return type(self)(
            fitted=self.fitted.model_copy(
                update=fitted_fields(observations) | {"date": today()}
            ),
            observations=observations,
            settings=self.settings,
            environment=self.environment,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``read_calibration`` reads it back."""
        return {
            "schema": SCHEMA,
            "fitted": self.fitted.model_dump(mode="json"),
            "settings": self.settings,
            "environment": self.environment,
            "observations": [
                asdict(seen) | {"architecture": seen.architecture.to_json()}
                for seen in self.observations
            ],
        }


def fitted_fields(observations: Sequence[Observation]) -> dict[str, Any]:
    """What a fitted model gets from its observations: table, counts and error.

    Held-out ones play no part in the fit; they alone say how good it is.
    """
    used = [seen for seen in observations if seen.source != HELD_OUT]
    table = fit(used)
    return {
        "fixed_ms": table.fixed,
        "operation_ms": table.operation,
        "kernel_ms": table.kernel,
        "networks": len(used),
        "error": error_of(
            table, [seen for seen in observations if seen.source == HELD_OUT]
        ),
    }


def read_calibration(path: Path) -> Calibration:
    """Read a calibration, to go on with it.

    Raises:
        UsageError: there is no such file, or it is no calibration.
    """
    again = "zonas-edge calibrate --profile NAME --model FILE"
    try:
        data = read_json(path, SCHEMA)
    except UsageError as error:
        raise UsageError(str(error), again) from None
    try:
        return Calibration(
            fitted=FittedLatency.model_validate(data["fitted"]),
            observations=_observations(data["observations"]),
            settings=dict(data["settings"]),
            environment=dict(data["environment"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: no calibration ({str(error).splitlines()[0]})",
            again,
        ) from None


def _observations(data: Sequence[Mapping[str, Any]]) -> tuple[Observation, ...]:
    """What was measured, as a fit can be made of it.

    Raises:
        KeyError, TypeError, ValueError: it can't.
    """
    found = tuple(
        Observation(
            architecture=Architecture.from_json(seen["architecture"]),
            undisturbed_ms=float(seen["undisturbed_ms"]),
            source=str(seen["source"]),
        )
        for seen in data
    )
    for seen in found:
        if not 0 < seen.undisturbed_ms < math.inf:
            raise ValueError(f"undisturbed_ms is {seen.undisturbed_ms:g}")
    held_out = sum(seen.source == HELD_OUT for seen in found)
    if min(held_out, len(found) - held_out) < FEWEST:
        raise ValueError(f"too few networks in it, {len(found)}, {held_out} held out")
    return found
