"""Arrays as people store them, brought to one form, or refused with the exact cause.

Nothing is guessed: a float image is not rescaled and a label is not rounded, because a
wrong guess gives a model that is silently wrong.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from numpy.typing import NDArray

from zonas_edge.errors import DatasetError
from zonas_edge.space import LARGEST_SIDE, SMALLEST_SIDE

_GRAY_STACK, _COLOUR_STACK = 3, 4
_LABEL_LIMIT = 2**31

_UINT8_HINT = (
    "store pixels as uint8 from 0 to 255; from 0 to 1:"
    " (images * 255).round().astype('uint8')"
)
_LABELS_HINT = "number the classes 0, 1, 2, ... without gaps, one whole number an image"


def canonical_images(
    images: NDArray[Any], where: str
) -> UInt8[np.ndarray, "n c height width"]:
    """Bring ``[N, H, W]`` or ``[N, H, W, 1 or 3]`` to ``[N, C, H, W]``.

    Args:
        images: pixels, uint8.
        where: what to call the array in an error, as ``scans.npz: train_images``.

    Raises:
        DatasetError: another type or shape, no images, or sides out of range.
    """
    check_images(images.dtype, images.shape, where)
    stack = images[..., np.newaxis] if images.ndim == _GRAY_STACK else images
    return np.ascontiguousarray(stack.transpose(0, 3, 1, 2))


def check_images(dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> None:
    """Refuse images by what is known before a pixel is read.

    Raises:
        DatasetError: another type or shape, no images, or sides out of range.
    """
    if dtype != np.uint8:
        raise DatasetError(f"{where} is {dtype}, not uint8", _UINT8_HINT)
    gray = len(shape) == _GRAY_STACK
    if not (gray or (len(shape) == _COLOUR_STACK and shape[3] in {1, 3})):
        raise DatasetError(
            f"{where} has shape {shape}, not (images, height, width)"
            " or (images, height, width, 1 or 3)",
            _shape_hint(shape),
        )
    if not shape[0]:
        raise DatasetError(f"{where} holds no images")
    check_sides(shape[1], shape[2], where)


def check_sides(height: int, width: int, where: str) -> None:
    """Refuse images that no network of the search space takes.

    Raises:
        DatasetError: a side below 8 or above 224 pixels.
    """
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (height, width)):
        raise DatasetError(
            f"{where} is {height}x{width} pixels,"
            f" sides go from {SMALLEST_SIDE} to {LARGEST_SIDE}",
            "resize the images first",
        )


def canonical_labels(labels: NDArray[Any], where: str) -> Int64[np.ndarray, "n"]:
    """Bring ``[N]`` or ``[N, 1]`` whole numbers, of any type, to int64 ``[N]``.

    Args:
        labels: classes; floats only if each is a whole number.
        where: what to call the array in an error.

    Raises:
        DatasetError: another shape or type, or a value that can't be a class.
    """
    check_labels(labels.dtype, labels.shape, where)
    flat = labels.reshape(-1)
    if flat.dtype.kind == "f":
        fractional = ~np.isfinite(flat)
        fractional[~fractional] = flat[~fractional] % 1 != 0
        _refuse(flat, fractional, where, "not a whole number")
    if flat.dtype.kind in "if":
        _refuse(flat, flat < 0, where, "below 0")
    if flat.dtype.kind != "b":  # comparing booleans with a large number is an error
        _refuse(flat, flat >= _LABEL_LIMIT, where, "too large for a class")
    return flat.astype(np.int64)


def check_labels(dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> None:
    """Refuse labels by what is known before one is read.

    Raises:
        DatasetError: another shape or type.
    """
    if len(shape) not in {1, 2} or (len(shape) == 2 and shape[1] != 1):  # noqa: PLR2004 - a matrix
        raise DatasetError(
            f"{where} has shape {shape}, not (images,) or (images, 1)",
            "give one class an image; several at once (multi-label) can't be used",
        )
    if dtype.kind not in "biuf":
        raise DatasetError(f"{where} is {dtype}, not whole numbers", _LABELS_HINT)


def _shape_hint(shape: tuple[int, ...]) -> str | None:
    if len(shape) == _COLOUR_STACK and shape[1] in {1, 3}:
        return "put the channels last: images.transpose(0, 2, 3, 1)"
    return None


def _refuse(
    flat: NDArray[Any], wrong: Bool[np.ndarray, "n"], where: str, what: str
) -> None:
    """Name the first wrong label by its place and value."""
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DatasetError(f"{where}[{first}] is {flat[first]}, {what}", _LABELS_HINT)
