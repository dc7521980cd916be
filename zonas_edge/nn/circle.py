"""Fourier transforms of small images and kernels, as constant matrices.

At 10 to 31 points a transform is a product with a small constant matrix: an FFT would
save arithmetic there, and lose it in moving memory. Complex numbers are pairs of reals.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Circle:
    """Constant matrices for images of one size.

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

    def each(self, turn: Tensor) -> Tensor:
        """The same matrix for each frequency along the columns."""
        return turn.expand(self.half, -1, -1)

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
def circle_of(height: int, width: int, margin: int, dtype: torch.dtype) -> Circle:
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
    return Circle(
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
