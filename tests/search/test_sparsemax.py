"""Sparsemax: the projection onto the simplex, with its Jacobian."""

import entmax
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize
from torch import Tensor

from zonas_edge.search.sparsemax import sparsemax

VECTORS = [
    ((0.5, 0.3, 0.1, 0.0, -0.1), (0.525, 0.325, 0.125, 0.025, 0.0)),
    ((2.0, 0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0, 0.0, 0.0), (0.2, 0.2, 0.2, 0.2, 0.2)),
    ((1.2, 0.9, 0.1, -1.0, -1.0), (0.65, 0.35, 0.0, 0.0, 0.0)),
]
ROWS = st.lists(st.floats(-5, 5), min_size=1, max_size=6).map(
    lambda row: torch.tensor(row, dtype=torch.float64)
)


def random_rows(seed: int, *shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draw, dtype=torch.float64)


def check_vectors(device: str) -> None:
    rows = torch.tensor([row for row, _ in VECTORS], dtype=torch.float64)
    images = torch.tensor([image for _, image in VECTORS], dtype=torch.float64)
    torch.testing.assert_close(sparsemax(rows.to(device)).cpu(), images)


def test_the_published_vectors_are_reproduced() -> None:
    check_vectors("cpu")


@pytest.mark.gpu
def test_the_published_vectors_are_reproduced_on_cuda() -> None:
    check_vectors("cuda")


@given(ROWS)
def test_every_image_lies_on_the_simplex(row: Tensor) -> None:
    found = sparsemax(row)
    assert float(found.min()) >= 0
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)


@given(ROWS)
def test_the_entmax_package_agrees(row: Tensor) -> None:
    torch.testing.assert_close(sparsemax(row), entmax.sparsemax(row, dim=-1))


@given(ROWS, st.integers(0, 2**32 - 1))
def test_no_other_point_of_the_simplex_is_nearer(row: Tensor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    others = torch.from_numpy(rng.dirichlet(np.full(len(row), 0.5), size=50))
    nearest = (sparsemax(row) - row).norm()
    assert float((others - row).norm(dim=-1).min() - nearest) >= -1e-12


@pytest.mark.parametrize("seed", range(3))
def test_a_quadratic_program_finds_the_same_point(seed: int) -> None:
    row = random_rows(seed, 5).numpy()

    def distance(p: NDArray[np.float64]) -> float:
        return float(((p - row) ** 2).sum())

    def slope(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2 * (p - row))

    found = minimize(
        distance,
        np.full(5, 0.2),
        jac=slope,
        bounds=[(0, 1)] * 5,
        constraints=LinearConstraint(np.ones((1, 5)), 1, 1),
        method="SLSQP",
        options={"ftol": 1e-15},
    )
    np.testing.assert_allclose(sparsemax(torch.from_numpy(row)), found.x, atol=1e-6)


@given(ROWS, st.floats(-100, 100))
def test_a_shift_of_the_whole_row_changes_nothing(row: Tensor, shift: float) -> None:
    torch.testing.assert_close(sparsemax(row + shift), sparsemax(row))


@given(ROWS)
def test_projecting_twice_is_projecting_once(row: Tensor) -> None:
    once = sparsemax(row)
    torch.testing.assert_close(sparsemax(once), once)


@pytest.mark.parametrize("seed", range(5))
def test_the_jacobian_matches_finite_differences(seed: int) -> None:
    # away from the kinks, where there is no derivative
    rows = random_rows(seed, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(sparsemax, (rows,))


def test_the_gradient_is_zero_outside_the_support() -> None:
    rows = torch.tensor([1.2, 0.9, 0.1, -1.0, -1.0], requires_grad=True)
    sparsemax(rows)[0].backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert rows.grad.tolist() == [0.5, -0.5, 0.0, 0.0, 0.0]


def test_a_row_is_certain_once_its_lead_reaches_the_temperature() -> None:
    row = torch.tensor([0.3, 0.1, 0.0], dtype=torch.float64)
    assert sparsemax(row / 0.19).tolist() == [1.0, 0.0, 0.0]
    assert float(sparsemax(row / 0.21)[0]) < 1
    assert sparsemax(row / 1e-9).tolist() == [1.0, 0.0, 0.0]


def test_rows_are_projected_one_by_one() -> None:
    rows = random_rows(0, 3, 6, 5)
    found = sparsemax(rows)
    for s in range(3):
        for e in range(6):
            assert torch.equal(found[s, e], sparsemax(rows[s, e]))
