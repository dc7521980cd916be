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
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Features = Float[Tensor, "batch channels height width"]

_SAVING = 2.6
"""Least ratio of the multiplications at which the spectra are faster: their products
are many small ones. Measured; see benchmarks/LOG.md."""


@dataclass(frozen=True, eq=False)
class _Circle:
    """Constant matrices for images of one size; complex numbers are pairs of reals.

    Args:
        points: rows and columns of the circle.
        half: frequencies along the columns; the others are their conjugates.
        columns_in: ``[2 half, width]``, real to (part, frequency).
        rows_in: ``[2, points, 2 height]``, (row, part) to a plane of frequencies.
        rows_out: ``[2, 2 height, points]``, a plane of frequencies to (part, row).
        columns_out: ``[width, 2 half]``, (frequency, part) to real.
    """

    points: tuple[int, int]
    half: int
    columns_in: Tensor
    rows_in: Tensor
    rows_out: Tensor
    columns_out: Tensor

    def taps(self, side: int) -> Tensor:
        """``[2 * half * points, side ** 2]``: kernel to planes of (column, row)."""
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
    parts = torch.stack([angle.cos(), angle.sin()])
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
        rows_in=turn_in.permute(2, 0, 1, 3).reshape(2, points[0], -1).to(dtype),
        rows_out=turn_out.permute(3, 2, 1, 0).reshape(2, 2 * height, -1).to(dtype),
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
    """Spectra of the images times those of the kernels, back to rows.

    Complex numbers are two planes, so that every product is a batch of real ones with
    one contiguous result: torch runs other batches one matrix at a time.
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, kernels: Tensor, rows_out: Tensor, half: int
    ) -> Tensor:
        """Rows of the convolved images.

        Args:
            ctx: what backward needs.
            images: ``[2, f, n, a]``.
            kernels: ``[2, f, a, b]``.
            rows_out: ``[2, 2 height, points]``.
            half: f is ``half * points``.

        Returns:
            ``[half, 2 height, n * b]``.
        """
        ctx.save_for_backward(images, kernels, rows_out)
        (x, y), (u, v) = images, kernels
        real = torch.bmm(x, u).baddbmm_(y, v, alpha=-1)
        imaginary = torch.bmm(x, v).baddbmm_(y, u)
        shape = half, rows_out.shape[2], -1
        turn, turn_i = (part.expand(half, -1, -1) for part in rows_out)
        lines = torch.bmm(turn, real.view(shape))
        return lines.baddbmm_(turn_i, imaginary.view(shape))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        images, kernels, rows_out = ctx.saved_tensors
        (gradient,) = gradients
        half = len(gradient)
        shape = images.shape[1], images.shape[2], kernels.shape[3]
        real, imaginary = (
            torch.bmm(part.T.expand(half, -1, -1), gradient).view(shape)
            for part in rows_out
        )
        x, y = images.transpose(2, 3)
        u, v = kernels.transpose(2, 3)
        to_images, to_kernels = torch.empty_like(images), torch.empty_like(kernels)
        torch.bmm(real, u, out=to_images[0]).baddbmm_(imaginary, v)
        torch.bmm(imaginary, u, out=to_images[1]).baddbmm_(real, v, alpha=-1)
        torch.bmm(x, real, out=to_kernels[0]).baddbmm_(y, imaginary)
        torch.bmm(x, imaginary, out=to_kernels[1]).baddbmm_(y, real, alpha=-1)
        return to_images, to_kernels, None, None


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
    spectral = dict(zip(chosen, by_spectra(x, some) if some else [], strict=True))
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


def by_spectra(x: Features, weights: Sequence[Tensor]) -> list[Tensor]:
    """``convolve``, every kernel by its spectrum."""
    batch, channels, height, width = x.shape
    margin = max(weight.shape[-1] for weight in weights) // 2
    circle = _circle(height, width, margin, x.dtype)
    half = circle.half
    pixels = x.permute(2, 3, 0, 1).reshape(height, width, batch * channels)
    lines = torch.matmul(circle.columns_in, pixels)
    lines = lines.view(2 * height, half, -1).transpose(0, 1)
    spectrum = torch.stack([torch.matmul(turn, lines) for turn in circle.rows_in])
    spectrum = spectrum.view(2, -1, batch, channels)

    kernels = torch.cat([_kernel(weight, circle) for weight in weights], dim=-1)
    back: Tensor = _Products.apply(spectrum, kernels, circle.rows_out, half)  # type: ignore[no-untyped-call]
    lines = back.view(2 * half, height, -1).transpose(0, 1)
    pixels = torch.matmul(circle.columns_out, lines)
    pixels = pixels.view(height, width, batch, -1).permute(2, 3, 0, 1)
    parts = torch.split(pixels, [weight.shape[0] for weight in weights], dim=1)
    return [part.contiguous(memory_format=torch.channels_last) for part in parts]


def _kernel(weight: Tensor, circle: _Circle) -> Tensor:
    """Spectrum of a kernel ``[2, frequencies, in, out]``."""
    out, channels, side, _ = weight.shape
    taps = weight.permute(2, 3, 1, 0).reshape(side**2, channels * out)
    return (circle.taps(side) @ taps).view(2, -1, channels, out)
