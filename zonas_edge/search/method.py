"""Every method of searching, as a choice within the one search loop.

A method is what the weights tell of alpha (its estimator), how alpha becomes
probabilities, which decisions there are, and how the budget pulls; and the figures that
it was published with. Those of the zeroth-order methods, of DARTS and of MiLeNAS are
their authors' comparison's, so that its tables can be repeated: DARTS itself was
published with 0.025 as the weights' first rate, and on other networks.

Whatever the method, the final network is chosen inside the budget (``selection``). So a
method without a penalty ends there too, only with fewer of its draws fitting.

It loads no torch, so that the command line can name the methods before anything heavy.

Source: in the table, a method each; the zeroth-order methods' figures are their
published code's (README, Sources).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from zonas_edge.search.schedule import Schedule
from zonas_edge.space import SearchSpace


class MethodName(StrEnum):
    """The methods by the name that ``--method`` takes."""

    ZO_DARTS_PP = "zo-darts++"
    ZO_DARTS_PP_PAPER = "zo-darts++-paper"
    ZO_DARTS_PP_RHO0 = "zo-darts++-rho0"
    ZO_DARTS_PLUS = "zo-darts+"
    ZO_DARTS = "zo-darts"
    DARTS = "darts"
    DARTS_FIRST_ORDER = "darts-first-order"
    MILENAS = "milenas"
    RANDOM = "random"
    RANDOM_SINGLE = "random-single"


class EstimatorName(StrEnum):
    """What tells how alpha should move."""

    HYBRID = "hybrid"
    """The direct gradient, and the implicit one along a random direction."""
    PAPER = "paper"
    """Both along a random direction, as published."""
    DIRECT = "direct"
    """The direct gradient alone: first-order DARTS."""
    UNROLLED = "unrolled"
    """Through one training step, by finite differences: second-order DARTS."""
    MIXED = "mixed"
    """The direct gradients of a training and of a validation batch: MiLeNAS."""
    NONE = "none"
    """Nothing: alpha stays as it is."""


class Rows(StrEnum):
    """How a row of alpha becomes probabilities."""

    SPARSEMAX = "sparsemax"
    SOFTMAX = "softmax"


class Penalty(StrEnum):
    """How the budget acts on alpha."""

    OWN = "own"
    """A step of its own, of every limit."""
    PUBLISHED = "published"
    """Added to the loss: parameters alone."""
    NONE = "none"
    """Not at all: the budget only decides which draws are kept."""


_PASSES: Mapping[EstimatorName, tuple[int, int]] = {
    EstimatorName.HYBRID: (2, 1),
    EstimatorName.PAPER: (2, 1),
    EstimatorName.DIRECT: (1, 1),
    EstimatorName.UNROLLED: (1, 4),
    EstimatorName.MIXED: (1, 2),
    EstimatorName.NONE: (1, 0),
}
"""Forward and backward passes of a training step, and of a step of alpha."""


@dataclass(frozen=True)
class Method:
    """How to search.

    Args:
        name: as ``--method`` takes it.
        summary: what it is, in a line.
        source: who published it, and where.
        estimator: what tells how alpha should move.
        rows: how alpha becomes probabilities.
        sizes: kernels and depths are searched too, and each stage for itself; else
            operations alone, the same in every stage, at 3x3 and full depth.
        penalty: how the budget acts on alpha.
        float64: compute in double precision: the published radius is below the rounding
            of float32.
        schedule: temperature, size phase, learning rate of the weights.
        alpha_rate: learning rate of alpha (Adam).
        alpha_betas: moments of that Adam.
        alpha_decay: L2 on alpha inside that Adam.
        inner_steps: training steps of the weights for each step of alpha.
        alpha_first: alpha's step comes before those of the weights, on the same
            training batch.
        trained: False leaves the weights as they are drawn; nothing is then ranked.
    """

    name: MethodName
    summary: str
    source: str
    estimator: EstimatorName
    rows: Rows = Rows.SPARSEMAX
    sizes: bool = True
    penalty: Penalty = Penalty.NONE
    float64: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    alpha_rate: float = 0.01
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 0.0
    inner_steps: int = 10
    alpha_first: bool = False
    trained: bool = True

    @property
    def decides(self) -> bool:
        """False if alpha stays where it began: networks are drawn uniformly."""
        return self.estimator is not EstimatorName.NONE

    @property
    def passes_per_batch(self) -> float:
        """Forward and backward passes for each training batch (section 4.5)."""
        step, update = _PASSES[self.estimator]
        return step + update / self.inner_steps if self.trained else 0.0

    def narrowed(self, space: SearchSpace) -> SearchSpace:
        """What of a space this method decides."""
        return replace(space, sizes=self.sizes)

    def epochs_for(self, asked: int) -> int:
        """Epochs of a search for which so many are asked.

        What decides nothing trains until it has had the default's passes, rounded up.
        """
        if not self.trained:
            return 0
        if self.decides:
            return asked
        passes = METHODS[DEFAULT].passes_per_batch * asked
        return math.ceil(passes / self.passes_per_batch - 1e-9)


DEFAULT = MethodName.ZO_DARTS_PP

_OURS = Method(
    DEFAULT,
    "sparsemax, sizes and penalty; the direct gradient exact, the implicit one by two"
    " copies of the weights",
    "ZO-DARTS++, arXiv:2503.06092, with the changes of this tool",
    EstimatorName.HYBRID,
    penalty=Penalty.OWN,
)
_PAPER = replace(
    _OURS,
    name=MethodName.ZO_DARTS_PP_PAPER,
    summary="the published estimator and penalty, its two copies made alike",
    source="ZO-DARTS++, arXiv:2503.06092",
    estimator=EstimatorName.PAPER,
    penalty=Penalty.PUBLISHED,
    float64=True,
    schedule=Schedule(rate=0.1),
    alpha_rate=0.015,
    alpha_decay=1e-3,
)
_PLUS = replace(
    _PAPER,
    name=MethodName.ZO_DARTS_PLUS,
    summary="operations alone, annealed sparsemax, no penalty",
    source="ZO-DARTS+, arXiv:2405.03462",
    sizes=False,
    penalty=Penalty.NONE,
)
_ZO_DARTS = replace(
    _PLUS,
    name=MethodName.ZO_DARTS,
    summary="operations alone, softmax without a temperature, no penalty",
    source="ZO-DARTS, ICASSP 2023",
    rows=Rows.SOFTMAX,
    schedule=Schedule(temperature=1.0, cooling=1.0, rate=0.1),
)
_DARTS = replace(
    _ZO_DARTS,
    name=MethodName.DARTS,
    summary="as zo-darts, but the gradient through one training step, each step",
    source="DARTS second order, arXiv:1806.09055; rates of the ZO-DARTS+ comparison",
    estimator=EstimatorName.UNROLLED,
    float64=False,
    alpha_rate=3e-4,
    inner_steps=1,
    alpha_first=True,
)
_RANDOM = replace(
    _OURS,
    name=MethodName.RANDOM,
    summary="uniform draws inside the budget, ranked by weights that a uniform mixture"
    " has trained for at least as many passes as zo-darts++ takes",
    source="the control of any search: Li & Talwalkar, arXiv:1902.07638",
    estimator=EstimatorName.NONE,
    penalty=Penalty.NONE,
    schedule=Schedule(size_phase=0.0),
)

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _OURS,
        _PAPER,
        replace(
            _OURS,
            name=MethodName.ZO_DARTS_PP_RHO0,
            summary="zo-darts++ without its implicit gradient, so with one copy of the"
            " weights",
            source="ablation: what the zeroth-order part is worth",
            estimator=EstimatorName.DIRECT,
        ),
        _PLUS,
        _ZO_DARTS,
        _DARTS,
        replace(
            _DARTS,
            name=MethodName.DARTS_FIRST_ORDER,
            summary="as darts, but the direct gradient alone",
            source="DARTS first order, arXiv:1806.09055; the same rates",
            estimator=EstimatorName.DIRECT,
        ),
        replace(
            _DARTS,
            name=MethodName.MILENAS,
            summary="as darts, but the direct gradients of a training and of a"
            " validation batch, added",
            source="MiLeNAS, arXiv:2003.12238; the same rates",
            estimator=EstimatorName.MIXED,
        ),
        _RANDOM,
        replace(
            _RANDOM,
            name=MethodName.RANDOM_SINGLE,
            summary="the first uniform draw inside the budget; nothing is trained or"
            " ranked",
            source="the spread of the space itself",
            trained=False,
        ),
    )
}
"""Every method by name; the published ones with the published figures."""
