"""Spectra against torch's direct convolution."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from zonas_edge.nn.spectral import by_spectra, chosen_for_spectra, convolve


def direct(x: Tensor, weights: list[Tensor]) -> list[Tensor]:
    return [functional.conv2d(x, w, padding=w.shape[-1] // 2) for w in weights]


def case(
    seed: int, height: int, width: int, sides: list[int]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Images, kernels and gradients of the results, in float64."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    x = draw(2, 3, height, width).requires_grad_()
    weights = [draw(4, 3, side, side).requires_grad_() for side in sides]
    return x, weights, [draw(2, 4, height, width) for _ in sides]


@given(
    seed=st.integers(0, 99),
    height=st.integers(2, 12),
    width=st.integers(2, 12),
    sides=st.lists(st.sampled_from([1, 3, 5, 7]), min_size=1, max_size=4),
)
def test_spectra_give_the_direct_convolution_and_its_gradients(
    seed: int, height: int, width: int, sides: list[int]
) -> None:
    x, weights, gradients = case(seed, height, width, sides)
    spectral, plain = by_spectra(x, weights), direct(x, weights)
    for a, b in zip(spectral, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)
    inputs = [x, *weights]
    for a, b in zip(
        torch.autograd.grad(spectral, inputs, gradients),
        torch.autograd.grad(plain, inputs, gradients),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_spectra_pass_the_numerical_test_of_gradients() -> None:
    x, weights, _ = case(0, 4, 5, [5, 3])

    def function(*inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(by_spectra(inputs[0], list(inputs[1:])))

    assert torch.autograd.gradcheck(function, (x, *weights))


def test_in_float32_spectra_are_as_exact_as_rounding_allows() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(16, 32, 14, 14, generator=g)
    weights = [torch.randn(32, 32, side, side, generator=g) for side in (7, 5, 3)]
    exact = direct(x.double(), [w.double() for w in weights])
    for a, b in zip(by_spectra(x, weights), exact, strict=True):
        assert float((a - b).norm() / b.norm()) < 2e-6


def test_spectra_are_chosen_where_they_save_multiplications() -> None:
    def chosen(
        batch: int, channels: int, side: int, sides: tuple[int, ...]
    ) -> list[int]:
        x = torch.empty(batch, channels, side, side)
        weights = [torch.empty(channels, channels, k, k) for k in sides]
        return chosen_for_spectra(x, weights)

    assert chosen(64, 32, 14, (7, 5, 3)) == [0, 1]  # 3x3 is cheap as it is
    assert chosen(64, 64, 7, (7, 7, 7)) == [0, 1, 2]
    assert chosen(1, 64, 7, (7,)) == []  # the kernel's own spectrum costs too much
    assert chosen(64, 16, 28, (3, 1)) == []


@pytest.mark.parametrize("batch", [1, 64])
def test_the_choice_changes_nothing_but_rounding(batch: int) -> None:
    g = torch.Generator().manual_seed(1)
    x = torch.randn(batch, 32, 14, 14, generator=g, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last)
    weights = [
        torch.randn(32, 32, side, side, generator=g, dtype=torch.float64)
        for side in (3, 7, 1, 5)
    ]
    for a, b in zip(convolve(x, weights), direct(x, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
        assert a.is_contiguous(memory_format=torch.channels_last)
