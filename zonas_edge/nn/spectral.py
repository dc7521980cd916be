"""Large kernels on small images, as products of spectra.

A 7x7 convolution of a 14x14 image multiplies 49 times a pixel and pair of channels; the
product of two spectra multiplies once a frequency. The kernels of several edges share
the spectrum of their common source.

Pixels beyond the edge are zero, so a circle that is longer than the side by the largest
kernel's margin keeps the two ends of an image apart. Results differ from the direct
convolution by rounding alone.

Source: Mathieu, Henaff & LeCun (2014), Fast training of convolutional networks through
FFTs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from zonas_edge.nn.circle import Circle, circle_of

Features = Float[Tensor, "batch channels height width"]

_SAVING = 2.8
"""Least ratio of the multiplications at which the spectra are faster: their products
are many small ones. Measured, as the next; see benchmarks/LOG.md."""

_TAPS = 0.6
"""What a multiplication for a kernel's own spectrum, a large product, costs of that."""


class _Spectral(torch.autograd.Function):
    """Convolutions of one input with several kernels, by their spectra.

    Complex numbers are two planes, so that every product is a batch of real ones with
    one contiguous result: torch runs other batches one matrix at a time. Kernels lie
    as ``[out, in]``, because the gradient of the images then is a plain product; with
    a transposed factor it took up to four times as long. Each step writes where the
    next one reads, and backward is written by hand for that reason.

    Planes are ``[2, f, ...]``, f = ``half * points``; n is the batch.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, circle: Circle, *weights: Tensor) -> Any:
        batch, _, height, width = x.shape
        images = _spectrum(x, circle)
        kernels = _kernels(weights, circle)
        (a, b), (u, v) = images, kernels.transpose(2, 3)
        real = torch.bmm(a, u).baddbmm_(b, v, alpha=-1)
        imaginary = torch.bmm(a, v).baddbmm_(b, u)
        shape = circle.half, circle.points[0], -1
        turn, turn_i = (circle.each(part) for part in circle.rows_out)
        lines = torch.bmm(turn, real.view(shape))
        lines.baddbmm_(turn_i, imaginary.view(shape))
        lines = lines.view(2 * circle.half, height, -1).transpose(0, 1)
        pixels = torch.matmul(circle.columns_out, lines).view(height, width, batch, -1)
        ctx.save_for_backward(images, kernels)
        ctx.circle, ctx.sides = circle, [weight.shape[-1] for weight in weights]
        return tuple(
            part.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)
            for part in torch.split(pixels, [weight.shape[0] for weight in weights], 3)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        images, kernels = ctx.saved_tensors
        circle: Circle = ctx.circle
        real, imaginary = _planes(gradients, circle)
        (a, b), (u, v) = images, kernels
        to_images, to_kernels = torch.empty_like(images), torch.empty_like(kernels)
        torch.bmm(real, u, out=to_images[0]).baddbmm_(imaginary, v)
        torch.bmm(imaginary, u, out=to_images[1]).baddbmm_(real, v, alpha=-1)
        real, imaginary = real.transpose(1, 2), imaginary.transpose(1, 2)
        torch.bmm(real, a, out=to_kernels[0]).baddbmm_(imaginary, b)
        torch.bmm(imaginary, a, out=to_kernels[1]).baddbmm_(real, b, alpha=-1)

        channels = images.shape[3]
        sizes = [gradient.shape[1] * channels for gradient in gradients]
        flat = torch.split(to_kernels.view(-1, sum(sizes)), sizes, 1)
        to_weights = [
            (circle.taps(side).T @ part).view(side, side, -1, channels)
            for side, part in zip(ctx.sides, flat, strict=True)
        ]
        return (
            _pixels(to_images, circle, gradients[0].shape[2:]),
            None,
            *(taps.permute(2, 3, 0, 1) for taps in to_weights),
        )


def _spectrum(x: Features, circle: Circle) -> Tensor:
    """Spectra of images ``[2, f, n, channels]``."""
    batch, channels, height, width = x.shape
    pixels = x.permute(2, 3, 0, 1).reshape(height, width, batch * channels)
    lines = torch.matmul(circle.columns_in, pixels)
    lines = lines.view(2 * height, circle.half, -1).transpose(0, 1)
    spectrum = x.new_empty(2, circle.half, circle.points[0], batch * channels)
    for plane, turn in zip(spectrum, circle.rows_in, strict=True):
        torch.bmm(circle.each(turn), lines, out=plane)
    return spectrum.view(2, -1, batch, channels)


def _kernels(weights: Sequence[Tensor], circle: Circle) -> Tensor:
    """Spectra of all kernels ``[2, f, out, in]``, joined along ``out``."""
    sizes = [weight.shape[0] * weight.shape[1] for weight in weights]
    frequencies = circle.half * circle.points[0]
    flat = weights[0].new_empty(2 * frequencies, sum(sizes))
    for weight, part in zip(weights, torch.split(flat, sizes, 1), strict=True):
        taps = weight.permute(2, 3, 0, 1).reshape(-1, part.shape[1])
        torch.mm(circle.taps(weight.shape[-1]), taps, out=part)
    return flat.view(2, frequencies, -1, weights[0].shape[1])


def _planes(gradients: Sequence[Tensor], circle: Circle) -> list[Tensor]:
    """From the results' gradients to those of the products: two of ``[f, n, out]``."""
    batch, _, height, width = gradients[0].shape
    out = [gradient.shape[1] for gradient in gradients]
    pixels = gradients[0].new_empty(height, width, batch, sum(out))
    for part, gradient in zip(torch.split(pixels, out, 3), gradients, strict=True):
        part.copy_(gradient.permute(2, 3, 0, 1))
    lines = pixels.new_empty(2 * circle.half, height, batch * sum(out))
    torch.bmm(
        circle.columns_out.T.expand(height, -1, -1),
        pixels.view(height, width, -1),
        out=lines.transpose(0, 1),
    )
    lines = lines.view(circle.half, 2 * height, -1)
    return [
        torch.bmm(circle.each(part.T), lines).view(-1, batch, sum(out))
        for part in circle.rows_out
    ]


def _pixels(spectrum: Tensor, circle: Circle, side: Sequence[int]) -> Features:
    """What ``_spectrum`` sends a gradient back to."""
    _, _, batch, channels = spectrum.shape
    height, width = side
    planes = spectrum.view(2, circle.half, circle.points[0], -1)
    turn, turn_i = (circle.each(part.T) for part in circle.rows_in)
    lines = spectrum.new_empty(2 * height, circle.half, batch * channels)
    columns = lines.transpose(0, 1)
    torch.bmm(turn, planes[0], out=columns)
    columns.baddbmm_(turn_i, planes[1])
    pixels = torch.matmul(circle.columns_in.T, lines.view(height, 2 * circle.half, -1))
    x = pixels.view(height, width, batch, channels).permute(2, 3, 0, 1)
    return x.contiguous(memory_format=torch.channels_last)


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
        return batch * images + _TAPS * weight.numel() * 2 * rows * half

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
    _, _, height, width = x.shape
    margin = max(weight.shape[-1] for weight in weights) // 2
    circle = circle_of(height, width, margin, x.dtype)
    return list(_Spectral.apply(x, circle, *weights))  # type: ignore[no-untyped-call]
