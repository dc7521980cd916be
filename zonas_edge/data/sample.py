"""The embedded sample: 1,797 handwritten digits that come with scikit-learn.

It shows the whole path on real images without a download; it is not medical. The split
follows from each image's place within its class, not from a random generator, so that
it is the same with every version of every package.

Source: E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, doi
10.24432/C50P49, as `sklearn.datasets.load_digits`.
"""

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image

from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.dataset import SPLITS, Dataset

NAME = "digits"
SIDE = 28
LICENCE = "CC BY 4.0"
COUNTS: tuple[int, int, int] = (1266, 178, 353)
"""Images of train, val and test."""

_INK = 16
"""Largest value of an original pixel: the dots of a 4x4 block that are on."""

_TENTHS: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 0, 1, 2, 2)
"""Split of the images of a class, by the last decimal of their place in it."""


def load_digits(classes: tuple[str, ...] | None = None) -> Dataset:
    """Load the digits at 28x28, in a fixed split of about 70, 10 and 20 %.

    Args:
        classes: other class names than the figures, or None.

    Raises:
        UsageError: ``classes`` are not one usable name for each of the 10 classes.
    """
    # scikit-learn takes seconds to import, and most runs don't need it.
    from sklearn import datasets  # noqa: PLC0415 - see above

    pixels, labels = datasets.load_digits(return_X_y=True)
    images = np.stack([_enlarge(row.reshape(8, 8)) for row in pixels])
    split = _fixed_split(labels.astype(np.int64))
    arrays = {}
    for index, name in enumerate(SPLITS):
        arrays[f"{name}_images"] = images[split == index]
        arrays[f"{name}_labels"] = labels[split == index]
    origin = Origin(where=NAME, name=NAME, source=NAME, licence=LICENCE)
    names = tuple(str(figure) for figure in range(10))
    return build_dataset(arrays, origin, own_names=names, classes=classes)


def _enlarge(pixels: Float64[np.ndarray, "8 8"]) -> UInt8[np.ndarray, "28 28"]:
    image = Image.fromarray(np.rint(pixels * (255 / _INK)).astype(np.uint8))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _fixed_split(labels: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    split = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        split[members] = np.resize(np.asarray(_TENTHS), len(members))
    return split
