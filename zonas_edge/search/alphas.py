"""Architecture parameters and the mixture that they say.

One flat vector holds all three groups (operations, kernels, depths), so that a random
direction is a vector too. Before the size phase kernels and depths are not searched:
the mixture then uses the largest of both, and directions leave those entries alone.

Source: section 3 of the design.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.search.sparsemax import sparsemax
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, SearchSpace

INITIAL_SCALE = 1e-3
OP_ENTRIES = STAGES * len(EDGES) * len(OPS)
KERNEL_ENTRIES = STAGES * len(EDGES) * len(KERNELS)


@dataclass(frozen=True)
class Alphas:
    """The architecture parameters of a search.

    Args:
        vector: all entries: operations, kernels, depths, each row-major.
        max_depth: largest depth of the space.
    """

    vector: Float[Tensor, "alphas"]
    max_depth: int

    @classmethod
    def draw(
        cls, space: SearchSpace, generator: torch.Generator, dtype: torch.dtype
    ) -> "Alphas":
        """Initial values: 0.001 times standard normal."""
        count = OP_ENTRIES + KERNEL_ENTRIES + STAGES * space.max_depth
        draw = torch.randn(count, generator=generator, dtype=torch.float64)
        return cls((INITIAL_SCALE * draw).to(dtype), space.max_depth)

    def active(self, *, sizes: bool) -> int:
        """Number of leading entries that are searched."""
        return len(self.vector) if sizes else OP_ENTRIES

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
        """Probabilities ``sparsemax(alpha / temperature)``, row by row.

        Args:
            temperature: divisor, > 0.
            sizes: False makes kernels and depths certain of the largest.
            shift: added to the parameters first.
        """
        vector = self.vector if shift is None else self.vector + shift
        counts = [OP_ENTRIES, KERNEL_ENTRIES, STAGES * self.max_depth]
        op, kernel, depth = torch.split(vector, counts)
        op = op.view(STAGES, len(EDGES), len(OPS))
        kernel = kernel.view(STAGES, len(EDGES), len(KERNELS))
        depth = depth.view(STAGES, self.max_depth)
        if sizes:
            return Mixture(
                op=sparsemax(op / temperature),
                kernel=sparsemax(kernel / temperature),
                depth=sparsemax(depth / temperature),
            )
        certain_kernel = torch.zeros_like(kernel.detach())
        certain_kernel[..., KERNELS.index(max(KERNELS))] = 1
        certain_depth = torch.zeros_like(depth.detach())
        certain_depth[..., -1] = 1
        return Mixture(
            op=sparsemax(op / temperature), kernel=certain_kernel, depth=certain_depth
        )


def detached(mixture: Mixture[Tensor]) -> Mixture[Tensor]:
    """The same probabilities without gradients, for steps of the weights."""
    return Mixture(
        op=mixture.op.detach(),
        kernel=mixture.kernel.detach(),
        depth=mixture.depth.detach(),
    )
