"""Architecture parameters and the mixture that they say.

One flat vector holds all three groups (operations, kernels, depths), so that a random
direction is a vector too. Before the size phase kernels and depths are not searched:
the mixture then uses the largest of both, and directions leave those entries alone. In
a space without sizes there are no such entries, and one group of operations serves all
stages.

Source: ZO-DARTS++ (arXiv:2503.06092) and its published code; sparsemax is Martins &
Astudillo's (arXiv:1602.02068), annealed as in ZO-DARTS+ (arXiv:2405.03462).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.search.sparsemax import sparsemax
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, SearchSpace

INITIAL_SCALE = 1e-3
CELL_ENTRIES = len(EDGES) * len(OPS)
OP_ENTRIES = STAGES * CELL_ENTRIES
KERNEL_ENTRIES = STAGES * len(EDGES) * len(KERNELS)


def softmax(rows: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch columns"]:
    """The normalisation of the methods before ZO-DARTS+; never exactly zero."""
    return torch.softmax(rows, dim=-1)


def _counts(space: SearchSpace) -> list[int]:
    """Entries of operations, kernels and depths."""
    if not space.sizes:
        return [CELL_ENTRIES, 0, 0]
    return [OP_ENTRIES, KERNEL_ENTRIES, STAGES * space.max_depth]


@dataclass(frozen=True)
class Alphas:
    """The architecture parameters of a search.

    Args:
        vector: all entries: operations, kernels, depths, each row-major.
        space: what they decide.
        normalise: rows to probabilities.
    """

    vector: Float[Tensor, "alphas"]
    space: SearchSpace
    normalise: Callable[[Tensor], Tensor] = sparsemax

    @classmethod
    def draw(
        cls,
        space: SearchSpace,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> "Alphas":
        """Initial values: 0.001 times standard normal."""
        draw = torch.randn(
            sum(_counts(space)), generator=generator, dtype=torch.float64
        )
        return cls((INITIAL_SCALE * draw).to(dtype), space)

    @classmethod
    def even(cls, space: SearchSpace, dtype: torch.dtype) -> "Alphas":
        """Zeros: every candidate of a decision is equally probable."""
        return cls(torch.zeros(sum(_counts(space)), dtype=dtype), space)

    def active(self, *, sizes: bool) -> int:
        """Number of leading entries that are searched."""
        return len(self.vector) if sizes else _counts(self.space)[0]

    def direction(
        self, generator: torch.Generator, *, sizes: bool
    ) -> Float[Tensor, "alphas"]:
        """A random unit vector over the active entries, zero elsewhere.

        Drawn on the CPU in float64, so that every device sees the same directions.
        """
        active = self.active(sizes=sizes)
        draw = torch.randn(active, generator=generator, dtype=torch.float64)
        full = torch.zeros(len(self.vector), dtype=torch.float64)
        full[:active] = draw / draw.norm()
        return full.to(self.vector)

    def mixture(
        self,
        temperature: float,
        *,
        sizes: bool,
        shift: Float[Tensor, "alphas"] | None = None,
    ) -> Mixture[Tensor]:
        """Probabilities of ``alpha / temperature``, row by row.

        Args:
            temperature: divisor, > 0.
            sizes: False makes kernels and depths certain of the largest.
            shift: added to the parameters first.
        """
        vector = self.vector if shift is None else self.vector + shift
        op, kernel, depth = torch.split(vector, _counts(self.space))
        op = self.normalise(op.view(-1, len(EDGES), len(OPS)) / temperature)
        op = op.expand(STAGES, -1, -1)
        if sizes:
            kernel = kernel.view(STAGES, len(EDGES), len(KERNELS))
            depth = depth.view(STAGES, self.space.max_depth)
            return Mixture(
                op=op,
                kernel=self.normalise(kernel / temperature),
                depth=self.normalise(depth / temperature),
            )
        certain_kernel = op.new_zeros(STAGES, len(EDGES), len(KERNELS))
        certain_kernel[..., KERNELS.index(max(self.space.kernels))] = 1
        certain_depth = op.new_zeros(STAGES, self.space.max_depth)
        certain_depth[..., -1] = 1
        return Mixture(op=op, kernel=certain_kernel, depth=certain_depth)


def detached(mixture: Mixture[Tensor]) -> Mixture[Tensor]:
    """The same probabilities without gradients, for steps of the weights."""
    return Mixture(
        op=mixture.op.detach(),
        kernel=mixture.kernel.detach(),
        depth=mixture.depth.detach(),
    )
