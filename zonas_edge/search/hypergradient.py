"""Zeroth-order hypergradients: how the validation loss answers a change of alpha.

The validation loss depends on alpha directly, and through the weights that are trained
under it. The second way is seen by training twice from the same state on the same
batches, at alpha and at alpha + radius * direction: the difference of the two weights,
divided by the radius, is the derivative of the weights along the direction.

Two estimators share the interface. ``paper`` keeps of everything only the component
along the direction (section 4.2). ``hybrid`` takes the direct gradient exactly and the
implicit one along the direction (section 13). With ``rho = 1`` the implicit part has
1/d of its true mean, so ``hybrid`` is close to first-order DARTS; ``rho = 0`` is it.

Source: ZO-DARTS (ICASSP 2023), ZO-DARTS+ (arXiv:2405.03462), sections 4 and 13 of the
design.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def slope_along(
    direction: Float[Tensor, "alphas"],
    *,
    alpha_gradient: Float[Tensor, "alphas"],
    weight_gradient: Float[Tensor, "weights"],
    weight_shift: Float[Tensor, "weights"],
    radius: float,
) -> Float[Tensor, ""]:
    """Total derivative of the validation loss along ``direction``.

    Args:
        direction: unit vector ``u`` in the space of architecture parameters.
        alpha_gradient: partial derivative of the validation loss by alpha.
        weight_gradient: partial derivative of the validation loss by the weights.
        weight_shift: ``w(alpha + radius * u) - w(alpha)``, both trained alike.
        radius: length of the perturbation, > 0, in units of alpha.

    Returns:
        A scalar; ``slope * direction`` is the gradient estimate. For directions drawn
        uniformly from the unit sphere its mean is the gradient divided by ``alphas``.
    """
    return alpha_gradient @ direction + weight_gradient @ (weight_shift / radius)


@dataclass(frozen=True)
class Evidence:
    """What one window of training has shown.

    Args:
        direction: unit vector of the perturbation.
        radius: its length.
        alpha_gradient: partial derivative of the validation loss by alpha.
        penalty_gradient: the same of the penalty, zero where it has its own step.
        weight_gradient: partial derivative of the validation loss by the weights.
        weight_shift: difference of the two trained weights.
    """

    direction: Float[Tensor, "alphas"]
    radius: float
    alpha_gradient: Float[Tensor, "alphas"]
    penalty_gradient: Float[Tensor, "alphas"]
    weight_gradient: Float[Tensor, "weights"]
    weight_shift: Float[Tensor, "weights"]


@dataclass(frozen=True)
class PaperEstimator:
    """Everything collapsed onto the direction, with the published radius."""

    relative_radius: float = 0.005

    def radius(self, op_norm: float, norm: float) -> float:
        """Half a percent of the norm of the operation entries alone."""
        del norm
        return self.relative_radius * op_norm

    def gradient(self, evidence: Evidence) -> Float[Tensor, "alphas"]:
        """``slope * u``."""
        slope = slope_along(
            evidence.direction,
            alpha_gradient=evidence.alpha_gradient + evidence.penalty_gradient,
            weight_gradient=evidence.weight_gradient,
            weight_shift=evidence.weight_shift,
            radius=evidence.radius,
        )
        return slope * evidence.direction


@dataclass(frozen=True)
class HybridEstimator:
    """Exact direct gradient; the direction only for the implicit part.

    Args:
        rho: weight of the implicit part; the number of entries makes it unbiased.
        least_radius: floor of the radius, in units of alpha: below, rounding and the
            chaos of ten training steps drown the signal.
        relative_radius: radius as a fraction of the norm of alpha.
    """

    rho: float = 1.0
    least_radius: float = 0.05
    relative_radius: float = 0.08

    def radius(self, op_norm: float, norm: float) -> float:
        """The larger of the floor and the fraction of the norm."""
        del op_norm
        return max(self.least_radius, self.relative_radius * norm)

    def gradient(self, evidence: Evidence) -> Float[Tensor, "alphas"]:
        """``direct + rho * implicit slope * u``."""
        implicit = slope_along(
            evidence.direction,
            alpha_gradient=torch.zeros_like(evidence.alpha_gradient),
            weight_gradient=evidence.weight_gradient,
            weight_shift=evidence.weight_shift,
            radius=evidence.radius,
        )
        direct = evidence.alpha_gradient + evidence.penalty_gradient
        return direct + self.rho * implicit * evidence.direction


Estimator = PaperEstimator | HybridEstimator
