"""The engine's search step from any state, with the textbook's interface.

``TextbookSearch`` and ``EngineSearch`` take the same steps from the same state, so that
``search_speed.py`` times them, and tests/search/test_textbook.py compares them, alike.
All that computes is the package's own: the pair, the mixtures, the estimator.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from zonas_edge.search.alphas import Alphas, detached
from zonas_edge.search.hypergradient import Evidence, HybridEstimator
from zonas_edge.search.pair import Pair


class EngineSearch:
    """A search without schedule and budget.

    Args:
        pair: trained further in place.
        alpha: initial parameters of operations, kernels and depths, each row-major.
        temperature: divisor of alpha.
        sizes: True in the size phase.
        radius: length of the perturbation of alpha.
        rate: learning rate of the weights.
        rho: weight of the implicit slope.
    """

    def __init__(
        self,
        pair: Pair,
        alpha: Tensor,
        *,
        temperature: float,
        sizes: bool,
        radius: float,
        rate: float = 0.025,
        rho: float = 1.0,
    ) -> None:
        self.pair = pair
        self.alphas = Alphas(alpha.clone().requires_grad_(), pair.supernet.space)
        self.temperature, self.sizes, self.radius = temperature, sizes, radius
        self.rate = rate
        self.estimator = HybridEstimator(rho=rho)
        self.adam = torch.optim.Adam([self.alphas.vector], lr=0.01, betas=(0.5, 0.999))

    @property
    def alpha(self) -> Tensor:
        """All architecture parameters."""
        return self.alphas.vector

    def begin(self, direction: Tensor) -> None:
        """Open a window."""
        self.direction = direction
        base, shifted = (
            detached(
                self.alphas.mixture(self.temperature, sizes=self.sizes, shift=moved)
            )
            for moved in (None, self.radius * direction)
        )
        self.pair.begin(base, shifted, self.rate)

    def pair_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One training step of both copies; the base's loss."""
        return self.pair.step(images, labels)

    def alpha_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Close the window: one step of Adam along the hybrid gradient.

        What the window has shown is in ``evidence`` afterwards.
        """
        vector = self.alphas.vector
        vector.grad = torch.zeros_like(vector)
        mixture = self.alphas.mixture(self.temperature, sizes=self.sizes)
        judged = self.pair.judge(images, labels, mixture)
        self.evidence = Evidence(
            direction=self.direction,
            radius=self.radius,
            alpha_gradient=vector.grad.clone(),
            penalty_gradient=torch.zeros_like(vector),
            weight_gradient=judged.weight_gradient,
            weight_shift=self.pair.shift(),
        )
        vector.grad = self.estimator.gradient(self.evidence)
        self.adam.step()
        return judged.loss

    def window(
        self,
        batches: Iterable[tuple[Tensor, Tensor]],
        validation: tuple[Tensor, Tensor],
        direction: Tensor,
    ) -> None:
        """Train the pair on every batch, then step alpha on the validation batch."""
        self.begin(direction)
        for images, labels in batches:
            self.pair_step(images, labels)
        self.alpha_step(*validation)
