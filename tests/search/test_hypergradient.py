"""Zeroth-order hypergradients against the exact ones, on toys and on a supernet."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.search.toys import SPACE, TASK, search_of, settings_of
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import OP_ENTRIES, Alphas, detached
from zonas_edge.search.hypergradient import (
    Estimator,
    Evidence,
    HybridEstimator,
    PaperEstimator,
    slope_along,
)
from zonas_edge.search.weights import WeightCopy, WeightSettings


def test_an_orthonormal_basis_recovers_the_exact_hypergradient() -> None:
    """Inner optimum w(a) = A a, outer loss |a - p|^2/2 + |w - q|^2/2."""
    draw = torch.Generator().manual_seed(0)
    inner = torch.randn(5, 3, generator=draw, dtype=torch.float64)
    a, p = torch.randn(2, 3, generator=draw, dtype=torch.float64)
    q = torch.randn(5, generator=draw, dtype=torch.float64)
    basis, _ = torch.linalg.qr(torch.randn(3, 3, generator=draw, dtype=torch.float64))
    radius = 1e-3

    estimate = torch.zeros(3, dtype=torch.float64)
    for u in basis.T:
        slope = slope_along(
            u,
            alpha_gradient=a - p,
            weight_gradient=inner @ a - q,
            weight_shift=inner @ (a + radius * u) - inner @ a,
            radius=radius,
        )
        estimate += slope * u

    exact = (a - p) + inner.T @ (inner @ a - q)
    torch.testing.assert_close(estimate, exact)


@dataclass(frozen=True)
class Quadratic:
    """Inner loss |w - A a|^2/2, trained to its end; outer |a - p|^2/2 + |w - q|^2/2."""

    inner: Tensor
    a: Tensor
    p: Tensor
    q: Tensor

    @classmethod
    def draw(cls, generator: torch.Generator, entries: int) -> "Quadratic":
        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        return cls(normal(5, entries), normal(entries), normal(entries), normal(5))

    def exact(self) -> Tensor:
        return (self.a - self.p) + self.inner.T @ (self.inner @ self.a - self.q)

    def evidence(self, u: Tensor, radius: float) -> Evidence:
        trained, moved = self.inner @ self.a, self.inner @ (self.a + radius * u)
        return Evidence(
            direction=u,
            radius=radius,
            alpha_gradient=self.a - self.p,
            penalty_gradient=torch.zeros_like(u),
            weight_gradient=trained - self.q,
            weight_shift=moved - trained,
        )


def directions(
    generator: torch.Generator, entries: int, count: int
) -> Iterator[Tensor]:
    for _ in range(count):
        draw = torch.randn(entries, generator=generator, dtype=torch.float64)
        yield draw / draw.norm()


@pytest.mark.parametrize(
    ("estimator", "factor"),
    [(PaperEstimator(), 4.0), (HybridEstimator(rho=4.0), 1.0)],
)
def test_the_mean_over_many_directions_is_the_hypergradient(
    estimator: Estimator, factor: float
) -> None:
    draw = torch.Generator().manual_seed(0)
    toy = Quadratic.draw(draw, entries=4)
    count = 4000
    total = torch.zeros(4, dtype=torch.float64)
    for u in directions(draw, 4, count):
        total += estimator.gradient(toy.evidence(u, 0.01))
    error = (factor * total / count - toy.exact()).norm() / toy.exact().norm()
    # the standard error is about sqrt(entries / count) = 3 %
    assert float(error) < 0.08


def test_without_rho_the_hybrid_is_the_direct_gradient_and_the_penalty_s() -> None:
    draw = torch.Generator().manual_seed(0)
    toy = Quadratic.draw(draw, entries=4)
    (u,) = directions(draw, 4, 1)
    found = HybridEstimator(rho=0.0).gradient(toy.evidence(u, 0.01))
    assert torch.equal(found, toy.a - toy.p)


def test_the_penalty_counts_as_part_of_the_validation_loss() -> None:
    u = torch.tensor([0.6, 0.8])
    zeros = torch.zeros(2)
    evidence = Evidence(u, 0.1, zeros, torch.tensor([1.0, 2.0]), zeros, zeros)
    paper = PaperEstimator().gradient(evidence)
    torch.testing.assert_close(paper, 2.2 * u)
    hybrid = HybridEstimator().gradient(evidence)
    assert torch.equal(hybrid, torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    ("norm", "radius"), [(0.0, 0.05), (0.625, 0.05), (1.0, 0.08), (10.0, 0.8)]
)
def test_the_hybrid_s_radius_has_a_floor_and_follows_all_entries(
    norm: float, radius: float
) -> None:
    assert HybridEstimator().radius(99.0, norm) == pytest.approx(radius)


def test_the_paper_s_radius_follows_the_operations_alone() -> None:
    assert PaperEstimator().radius(2.0, 99.0) == 0.01


def test_without_a_perturbation_the_implicit_term_is_exactly_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twin and base then train alike, to the bit; the published code's don't."""

    def nowhere(self: Alphas, generator: torch.Generator, *, sizes: bool) -> Tensor:
        del generator, sizes
        return torch.zeros_like(self.vector.detach())

    # windows of ten steps, seven steps an epoch: the first window is perturbed and
    # leaves the twin with weights and momentum of its own; the second is not
    search = search_of(settings_of(epochs=3))
    search.run_epoch()
    monkeypatch.setattr(Alphas, "direction", nowhere)
    perturbed, plain = search.run_epoch(), search.run_epoch()
    assert perturbed.implicit_slope is not None
    assert perturbed.implicit_slope > 0
    assert plain.implicit_slope == 0
    assert search.alpha_updates == 2
    state = search.state_dict()
    assert torch.equal(
        state["copies"]["base"]["weights"], state["copies"]["twin"]["weights"]
    )
    assert torch.equal(
        state["copies"]["base"]["momentum"], state["copies"]["twin"]["momentum"]
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_paper_s_slope_predicts_the_difference_of_the_losses(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    copies = [
        WeightCopy(
            Supernet(SPACE, TASK, torch.Generator().manual_seed(3)).double(),
            WeightSettings(),
        )
        for _ in range(2)
    ]
    base, twin = copies
    start = Alphas.draw(SPACE, draw, torch.float64)
    alphas = Alphas(start.vector.clone().requires_grad_(), SPACE)
    u = alphas.direction(draw, sizes=True).detach()
    radius = PaperEstimator().radius(float(start.vector[:OP_ENTRIES].norm()), 0.0)

    def batch() -> tuple[Tensor, Tensor]:
        images = torch.randn(6, 1, 8, 8, generator=draw, dtype=torch.float64)
        return images, torch.arange(6) % 2

    def loss_of(copy: WeightCopy, part: tuple[Tensor, Tensor], shift: Tensor) -> Tensor:
        mixture = alphas.mixture(1.5, sizes=True, shift=shift)
        return functional.cross_entropy(copy.supernet(part[0], mixture), part[1])

    nowhere = torch.zeros_like(u)
    for _ in range(10):
        part = batch()
        for copy, shift in ((base, nowhere), (twin, radius * u)):
            mixture = detached(alphas.mixture(1.5, sizes=True, shift=shift))
            logits = copy.supernet(part[0], mixture)
            copy.step(functional.cross_entropy(logits, part[1]), 1e-3)
    part = batch()
    base.zero_gradient()
    loss = loss_of(base, part, nowhere)
    loss.backward()  # type: ignore[no-untyped-call]
    assert alphas.vector.grad is not None
    slope = slope_along(
        u,
        alpha_gradient=alphas.vector.grad,
        weight_gradient=base.gradient(),
        weight_shift=(twin.flat - base.flat).detach(),
        radius=radius,
    )
    difference = (loss_of(twin, part, radius * u) - loss).detach()
    assert float(slope) * radius == pytest.approx(float(difference), rel=0.1)
