"""What a search tells of itself: one record an epoch, and how decided it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zonas_edge.architecture import CONV, Probabilities
from zonas_edge.constraint import Constraint
from zonas_edge.cost import expected


@dataclass(frozen=True)
class EpochRecord:
    """One epoch as ``history.jsonl`` tells it.

    Args:
        epoch: number, from 1.
        train_loss: mean cross-entropy on the batches that trained the weights [nats].
        validation_loss: the same on the alphas' batches; None without a window's end.
        temperature: divisor of alpha at the end of the epoch.
        sizes: True once kernels and depths are searched.
        alpha_updates: steps of alpha since the start.
        mean_maximum: mean of the largest probability over the rows that can still
            change the derived network.
        mean_entropy: mean entropy of those rows [nats].
        stable_epochs: epochs since one of their decisions changed.
        strength: of the budget's penalty; None without one of its own.
        implicit_slope: mean size of the implicit part of the slope; None without a
            window's end, or without a twin.
        direct_norm: mean norm of the direct gradient; None without a window's end.
        expected: expected cost by limit, in the limit's unit.
        mixture: probabilities of operations, kernels and depths.
    """

    epoch: int
    train_loss: float
    validation_loss: float | None
    temperature: float
    sizes: bool
    alpha_updates: int
    mean_maximum: float
    mean_entropy: float
    stable_epochs: int
    strength: float | None
    implicit_slope: float | None
    direct_norm: float | None
    expected: dict[str, float]
    mixture: dict[str, Any]


def confidence(mixture: Probabilities, *, sizes: bool) -> tuple[float, float]:
    """Mean largest probability, and mean entropy [nats], of the rows still open.

    Args:
        mixture: probabilities.
        sizes: True if kernels and depths are searched; a kernel row counts where the
            edge's convolution has probability.
    """
    rows = list(mixture.op.reshape(-1, mixture.op.shape[-1]))
    if sizes:
        live = mixture.op[..., CONV] > 0
        rows += [*mixture.depth, *mixture.kernel[live]]
    maxima = [row.max() for row in rows]
    entropies = [-(row[row > 0] * np.log(row[row > 0])).sum() for row in rows]
    return float(np.mean(maxima)), float(np.mean(entropies))


def stock_of(
    mixture: Probabilities, constraints: Sequence[Constraint], *, sizes: bool
) -> dict[str, Any]:
    """What a record says of a mixture.

    Args:
        mixture: probabilities.
        constraints: the budget.
        sizes: True if kernels and depths are searched.
    """
    maximum, entropy = confidence(mixture, sizes=sizes)
    return {
        "mean_maximum": maximum,
        "mean_entropy": entropy,
        "expected": {
            limit.name: float(expected(limit.table, mixture) * limit.unit)
            for limit in constraints
        },
        "mixture": {
            "op": mixture.op.tolist(),
            "kernel": mixture.kernel.tolist(),
            "depth": mixture.depth.tolist(),
        },
    }


def agree(before: Probabilities, after: Probabilities) -> bool:
    """True if no decision that still matters has changed."""
    live = after.op[..., CONV] > 0
    return bool(
        (before.op.argmax(-1) == after.op.argmax(-1)).all()
        and (before.depth.argmax(-1) == after.depth.argmax(-1)).all()
        and (before.kernel.argmax(-1) == after.kernel.argmax(-1))[live].all()
    )
