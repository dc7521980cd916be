"""Sparsemax: a softmax that can say exactly zero.

ZO-DARTS++ turns architecture parameters into mixture probabilities with sparsemax
instead of softmax. Because it projects onto the simplex, weak candidates reach
probability 0 *during* the search, so deriving the architecture at the end removes
little that was still in use, and what is 0 needs no computation.

Source: Martins & Astudillo (2016), arXiv:1602.02068, Algorithm 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor


class _Sparsemax(torch.autograd.Function):
    """Projection of each row onto the simplex, with its closed-form Jacobian."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor) -> Tensor:
        ordered = rows.sort(dim=-1, descending=True).values
        cumulated = ordered.cumsum(dim=-1) - 1
        rank = torch.arange(1, rows.shape[-1] + 1, device=rows.device, dtype=rows.dtype)
        size = (rank * ordered > cumulated).sum(dim=-1, keepdim=True)
        threshold = cumulated.gather(-1, size - 1) / size
        output = (rows - threshold).clamp(min=0)
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx,
        *gradients: Tensor,
    ) -> Tensor:
        (output,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        support = (output > 0).to(gradient.dtype)
        mean = (gradient * support).sum(-1, keepdim=True) / support.sum(
            -1, keepdim=True
        )
        result: Tensor = support * (gradient - mean)
        return result


def sparsemax(rows: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch columns"]:
    """The point of the probability simplex nearest to each row.

    Gradients are exactly zero for entries outside the support. Differentiable once.
    """
    output: Tensor = _Sparsemax.apply(rows)  # type: ignore[no-untyped-call]
    return output
