"""Large kernels on small images, as products of spectra.

A 7x7 convolution of a 14x14 image multiplies 49 times a pixel and pair of channels; the
product of two spectra multiplies once a frequency. The kernels of several edges share
the spectrum of their common source. At 10 to 31 points a transform is a product with a
small constant matrix: an FFT would save arithmetic there, and lose it in moving memory.

Pixels beyond the edge are zero, so a circle that is longer than the side by the largest
kernel's margin keeps the two ends of an image apart. Results differ from the direct
convolution by rounding alone.

Source: Mathieu, Henaff & LeCun (2014), Fast training of convolutional networks through
FFTs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zonas_edge.nn.ops import Features

_SAVING = 3.5
"""Least ratio of the multiplications at which the spectra are faster: their products
are many small ones. Measured; see benchmarks/LOG.md."""


@dataclass(frozen=True, eq=False)
class _Circle:
    """Constant matrices for images of one size; complex numbers are pairs of reals.

    Args:
        points: rows and columns of the circle.
        half: frequencies along the columns; the others are their conjugates.
        columns_in: ``[2 half, width]``, real to (part, frequency).
        rows_in: ``[2 points, 2 height]``, (row, part) to (frequency, part).
        rows_out: ``[2 height, 2 points]``, (frequency, part) to (part, row).
        columns_out: ``[width, 2 half]``, (frequency, part) to real.
    """

    points: tuple[int, int]
    half: int
    columns_in: Tensor
    rows_in: Tensor
    rows_out: Tensor
    columns_out: Tensor

    def taps(self, side: int) -> Tensor:
        """``[half * points * 2, side ** 2]``: kernel to (column, row, part)."""
        return _taps(self.points, side, self.columns_in.dtype)


def _angles(frequencies: int, places: Tensor, points: int) -> Tensor:
    """``2 pi f p / points`` for each frequency and place, in float64."""
    f = torch.arange(frequencies, dtype=torch.float64)
    return 2 * math.pi / points * f[:, None] * places.double()


@lru_cache(maxsize=32)
def _taps(points: tuple[int, int], side: int, dtype: torch.dtype) -> Tensor:
    offsets = torch.arange(side) - side // 2
    rows = _angles(points[0], offsets, points[0])
    columns = _angles(points[1] // 2 + 1, offsets, points[1])
    angle = columns[:, None, None, :] + rows[None, :, :, None]
    parts = torch.stack([angle.cos(), angle.sin()], dim=2)
    return parts.reshape(-1, side**2).to(dtype)


@lru_cache(maxsize=32)
def _circle(height: int, width: int, margin: int, dtype: torch.dtype) -> _Circle:
    """The matrices for images of a size and kernels up to ``2 * margin + 1``."""
    points = (height + margin, width + margin)
    half = points[1] // 2 + 1
    columns = _angles(half, torch.arange(width), points[1])
    rows = _angles(points[0], torch.arange(height), points[0])
    # e^(-i angle) from the image to its spectrum, e^(i angle) back
    turn_in = _turn(rows.cos(), -rows.sin())  # [frequency, row, out part, in part]
    turn_out = _turn(rows.cos(), rows.sin()) / points[0]
    twice = torch.full((half, 1), 2.0, dtype=torch.float64)
    twice[0] = 1
    if points[1] % 2 == 0:
        twice[-1] = 1  # this frequency is its own conjugate
    back = torch.stack([columns.cos(), -columns.sin()], dim=1) * twice[:, None]
    return _Circle(
        points=points,
        half=half,
        columns_in=torch.cat([columns.cos(), -columns.sin()]).to(dtype),
        rows_in=turn_in.permute(0, 2, 1, 3).reshape(2 * points[0], -1).to(dtype),
        rows_out=turn_out.permute(2, 1, 0, 3).reshape(2 * height, -1).to(dtype),
        columns_out=(back.reshape(2 * half, width).T / points[1])
        .contiguous()
        .to(dtype),
    )


def _turn(cosine: Tensor, sine: Tensor) -> Tensor:
    """Multiplication by a complex number as a 2x2 real matrix, for each entry."""
    return torch.stack(
        [torch.stack([cosine, -sine], dim=-1), torch.stack([sine, cosine], dim=-1)],
        dim=-2,
    )


class _Products(torch.autograd.Function):
    """Complex matrix products, one a frequency, as real ones into one result."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, kernels: Tensor) -> Tensor:
        """``[f, 2, n, a]`` times ``[f, 2, a, b]`` is ``[f, 2, n, b]``."""
        ctx.save_for_backward(images, kernels)
        return _product(images, kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        images, kernels = ctx.saved_tensors
        (gradient,) = gradients
        return (
            _product(gradient, kernels.transpose(2, 3), second=-1),
            _product(images.transpose(2, 3), gradient, first=-1),
        )


def _product(a: Tensor, b: Tensor, *, first: int = 1, second: int = 1) -> Tensor:
    """``a b``; a sign of -1 takes the conjugate of that factor."""
    (x, y), (u, v) = a.unbind(1), b.unbind(1)
    result = a.new_empty(a.shape[0], 2, a.shape[2], b.shape[3])
    real, imaginary = result.unbind(1)
    real.baddbmm_(x, u, beta=0).baddbmm_(y, v, alpha=-first * second)
    imaginary.baddbmm_(x, v, beta=0, alpha=second).baddbmm_(y, u, alpha=first)
    return result


def convolve(x: Features, weights: Sequence[Tensor]) -> list[Features]:
    """``conv2d(x, weight, padding=k // 2)`` for several kernels of one input.

    Args:
        x: images.
        weights: ``[out, in, k, k]`` each, k odd.

    Returns:
        One tensor a kernel, channels-last if ``x`` is.
    """
    chosen = chosen_for_spectra(x, weights)
    some = [weights[i] for i in chosen]
    spectral = dict(zip(chosen, _by_spectra(x, some) if some else [], strict=True))
    return [
        spectral[i]
        if i in spectral
        else functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
        for i, weight in enumerate(weights)
    ]


def chosen_for_spectra(x: Features, weights: Sequence[Tensor]) -> list[int]:
    """Which kernels spectra pay for, by counting multiplications, never by a clock.

    Args:
        x: what is to be convolved; on a GPU nothing is chosen.
        weights: ``[out, in, k, k]`` each, k odd.

    Returns:
        Places in ``weights``, ascending; none if the input's transform is too much for
        the few.
    """
    batch, channels, height, width = x.shape
    margin = max(weight.shape[-1] for weight in weights) // 2
    rows, half = height + margin, (width + margin) // 2 + 1
    transform = 2 * half * height * width + 4 * rows * height * half

    def direct(weight: Tensor) -> float:
        return float(batch * weight.numel() * height * width)

    def spectral(weight: Tensor) -> float:
        images = weight.shape[0] * (transform + 4 * channels * rows * half)
        return float(batch * images + weight.numel() * 2 * rows * half)

    chosen = [
        i
        for i, weight in enumerate(weights)
        if not x.is_cuda and direct(weight) > _SAVING * spectral(weight)
    ]
    before = sum(direct(weights[i]) for i in chosen)
    after = batch * channels * transform + sum(spectral(weights[i]) for i in chosen)
    return chosen if before > _SAVING * after else []


def _by_spectra(x: Features, weights: Sequence[Tensor]) -> list[Tensor]:
    batch, channels, height, width = x.shape
    margin = max(weight.shape[-1] for weight in weights) // 2
    circle = _circle(height, width, margin, x.dtype)
    half, rows = circle.half, circle.points[0]
    pixels = x.permute(2, 3, 0, 1).reshape(height, width, batch * channels)
    lines = torch.matmul(circle.columns_in, pixels)
    lines = lines.view(2 * height, half, -1).transpose(0, 1)
    spectrum = torch.matmul(circle.rows_in, lines).view(-1, 2, batch, channels)

    kernels = torch.cat([_kernel(weight, circle) for weight in weights], dim=-1)
    product: Tensor = _Products.apply(spectrum, kernels)  # type: ignore[no-untyped-call]

    lines = torch.matmul(circle.rows_out, product.view(half, 2 * rows, -1))
    lines = lines.view(2 * half, height, -1).transpose(0, 1)
    pixels = torch.matmul(circle.columns_out, lines)
    pixels = pixels.view(height, width, batch, -1).permute(2, 3, 0, 1)
    parts = torch.split(pixels, [weight.shape[0] for weight in weights], dim=1)
    return [part.contiguous(memory_format=torch.channels_last) for part in parts]


def _kernel(weight: Tensor, circle: _Circle) -> Tensor:
    """Spectrum of a kernel ``[frequencies, 2, in, out]``."""
    out, channels, side, _ = weight.shape
    taps = weight.permute(2, 3, 1, 0).reshape(side**2, channels * out)
    return (circle.taps(side) @ taps).view(-1, 2, channels, out)
