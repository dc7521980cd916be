"""What every source becomes: six checked arrays, in one form, that can't be changed.

One canonical form (uint8 ``[N, C, H, W]`` and int64 ``[N]``) is what makes the content
hash mean something: the same images in an ``.npz`` and in a folder are the same data.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64, UInt8

from zonas_edge.space import TaskSpec

SPLITS: tuple[str, ...] = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes; both arrays are read-only.

    Args:
        images: pixels 0 to 255, channels first, C-contiguous.
        labels: class of each image, 0 to classes - 1.
    """

    images: UInt8[np.ndarray, "n c h w"]
    labels: Int64[np.ndarray, "n"]

    def __post_init__(self) -> None:
        """Refuse another form; freeze views, so that the caller's arrays stay as is."""
        if self.images.dtype != np.uint8 or self.images.ndim != 4:  # noqa: PLR2004 - NCHW
            raise ValueError(
                f"images are {self.images.dtype} {self.images.shape}, not uint8 NCHW"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels are {self.labels.dtype} {self.labels.shape}, not int64"
                f" ({len(self.images)},)"
            )
        for name in ("images", "labels"):
            view = np.ascontiguousarray(getattr(self, name)).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification task with its images; compare two by ``sha256``.

    The test split is private: it is reached by `open_test` alone.

    Args:
        name: short name for people.
        source: what opens it again: a known name or an absolute path.
        folder: where the file of a known name was found (absolute), else None.
        train: images to learn from.
        val: images for ranking, choice of epoch and gates.
        class_names: one per class, in order of the labels.
        sha256: hash of all pixels, labels and class names, in canonical form.
        licence: licence of the images, as their publisher words it.
        flip: whether a mirrored image keeps its class.
        batch_size: the published batch size of the search, None where there is none.
        notes: warnings that the user must see, one sentence each.
    """

    name: str
    source: str
    folder: str | None
    train: Split
    val: Split
    _test: Split = field(repr=False)
    class_names: tuple[str, ...]
    sha256: str
    licence: str
    flip: bool
    batch_size: int | None
    notes: tuple[str, ...]

    @property
    def task(self) -> TaskSpec:
        """What a classifier of these images sees and says."""
        _, channels, height, width = self.train.images.shape
        return TaskSpec(channels, height, width, len(self.class_names))

    @property
    def test_count(self) -> int:
        """Number of test images, which says nothing about what they show."""
        return len(self._test)

    def learning_hash(self) -> str:
        """SHA-256 of train and val: of a data set all that a choice may depend on."""
        return _digest({"train": self.train, "val": self.val}).hexdigest()

    def open_test(self) -> Split:
        """Give out the test split. Only `pipeline.deliver.open_test` may call this.

        It counts: for `validate`, for a bundle, and for `compare --published-protocol`,
        whose figure stands in a column that nothing reads.

        Whatever else looks at the test split can, however indirectly, choose by it, and
        then the figures measured on it no longer hold for images not seen before.
        """
        return self._test


def content_hash(
    train: Split, val: Split, test: Split, class_names: tuple[str, ...]
) -> str:
    """SHA-256 over types, shapes and bytes of the six arrays and the class names."""
    digest = _digest({"train": train, "val": val, "test": test})
    digest.update(json.dumps(class_names).encode())
    return digest.hexdigest()


def _digest(splits: Mapping[str, Split]) -> "hashlib._Hash":
    digest = hashlib.sha256()
    for name, split in splits.items():
        for kind, array in (("images", split.images), ("labels", split.labels)):
            digest.update(f"{name}_{kind} {array.dtype} {array.shape}\n".encode())
            # Little-endian on every host, so that the hash is the same on all of them.
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return digest
