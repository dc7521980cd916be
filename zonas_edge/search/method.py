"""Every method of searching, as a choice within the one search loop.

It loads no torch, so that the command line can name the methods before anything heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zonas_edge.search.schedule import Schedule


class MethodName(StrEnum):
    """The methods by the name that ``--method`` takes."""

    ZO_DARTS_PP = "zo-darts++"
    ZO_DARTS_PP_PAPER = "zo-darts++-paper"


@dataclass(frozen=True)
class Method:
    """How to search.

    Args:
        name: as ``--method`` takes it.
        published: the published estimator and penalty, in float64, since its radius is
            below the rounding of float32.
        schedule: temperature, size phase, learning rate of the weights.
        alpha_rate: learning rate of alpha (Adam).
        alpha_decay: L2 on alpha inside that Adam.
        inner_steps: training steps of the weights for each step of alpha.
    """

    name: MethodName
    published: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    alpha_rate: float = 0.01
    alpha_decay: float = 0.0
    inner_steps: int = 10


DEFAULT = MethodName.ZO_DARTS_PP

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(MethodName.ZO_DARTS_PP),
        Method(
            MethodName.ZO_DARTS_PP_PAPER,
            published=True,
            schedule=Schedule(rate=0.1),
            alpha_rate=0.015,
            alpha_decay=1e-3,
        ),
    )
}
"""Every method by name; the published ones with the published figures."""
