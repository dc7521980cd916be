"""One door for all data: six raw arrays in, a checked `Dataset` out.

Every source goes through here, so that a rule (each class is learnt from at least two
images, no class is missing from a split, ...) holds whatever container the data had.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from zonas_edge.data.canonical import canonical_images, canonical_labels
from zonas_edge.data.dataset import SPLITS, Dataset, Split, content_hash
from zonas_edge.errors import DatasetError, UsageError, ZonasError

_TRAIN_MINIMUM = 2
"""The search needs an image of each class in both halves of the train split."""


@dataclass(frozen=True)
class Origin:
    """What is known of a data set besides its arrays; see `Dataset` for the fields.

    Args:
        where: what to call the data in an error: a known name or the path as given.
    """

    where: str
    name: str
    source: str
    folder: str | None = None
    licence: str = "not stated"
    flip: bool = False
    batch_size: int | None = None
    notes: tuple[str, ...] = ()


def build_dataset(
    arrays: Mapping[str, NDArray[Any]],
    origin: Origin,
    *,
    own_names: Sequence[str] | None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Check six arrays and make a data set of them.

    Args:
        arrays: ``train_images``, ``train_labels`` and the same for val and test, in
            MedMNIST layout.
        origin: name, source, licence and so on.
        own_names: class names that came with the data, None if there were none.
        classes: class names that the user gave; they go before ``own_names``.

    Raises:
        DatasetError: the arrays can't be used; the message tells which and why.
        UsageError: ``classes`` are not one usable name for each class.
    """
    where = origin.where
    train, val, test = (_split(arrays, name, where) for name in SPLITS)
    _check_same_shape((train, val, test), where)
    count = max(int(split.labels.max()) for split in (train, val, test)) + 1
    count = max(count, len(own_names or ()))
    _check_classes((train, val, test), count, own_names, where)
    if train.images.min() == train.images.max():
        raise DatasetError(
            f"{where}: every pixel of train_images is {train.images.min()},"
            " nothing can be learnt"
        )
    names = _class_names(count, own_names, classes, where)
    notes = [*origin.notes, *_renamed(own_names, classes)]
    if classes is None and own_names is None:
        notes.append(
            f"the {count} classes have no names and are called 0 to {count - 1}"
        )
    notes += _duplicates_notes((train, val, test))
    return Dataset(
        name=origin.name,
        source=origin.source,
        folder=origin.folder,
        train=train,
        val=val,
        _test=test,
        class_names=names,
        sha256=content_hash(train, val, test, names),
        licence=origin.licence,
        flip=origin.flip,
        batch_size=origin.batch_size,
        notes=tuple(notes),
    )


def _split(arrays: Mapping[str, NDArray[Any]], name: str, where: str) -> Split:
    images = canonical_images(arrays[f"{name}_images"], f"{where}: {name}_images")
    labels = canonical_labels(arrays[f"{name}_labels"], f"{where}: {name}_labels")
    if len(images) != len(labels):
        raise DatasetError(
            f"{where}: {name}_images holds {len(images)} images,"
            f" {name}_labels {len(labels)} labels"
        )
    return Split(images, labels)


def _check_same_shape(splits: tuple[Split, ...], where: str) -> None:
    first = splits[0].images.shape[1:]
    for name, split in zip(SPLITS[1:], splits[1:], strict=True):
        if split.images.shape[1:] != first:
            raise DatasetError(
                f"{where}: {name}_images is {_shape_text(split.images.shape[1:])},"
                f" train_images {_shape_text(first)}"
            )


def _shape_text(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{height}x{width} {'gray' if channels == 1 else 'RGB'}"


def _check_classes(
    splits: tuple[Split, ...], count: int, names: Sequence[str] | None, where: str
) -> None:
    """Every class is in every split, and often enough in train."""
    if count < 2:  # noqa: PLR2004 - one class is no decision
        raise DatasetError(f"{where}: all labels are 0, at least 2 classes are needed")
    for name, split in zip(SPLITS, splits, strict=True):
        minimum = _TRAIN_MINIMUM if name == "train" else 1
        label, found = _rarest(split.labels, count)
        if found < minimum:
            named = f"{label} ({names[label]})" if names and names[label:] else label
            raise DatasetError(
                f"{where}: class {named} has {found} of at least {minimum} images"
                f" in {name}",
                "labels go from 0 to the number of classes - 1, all in every split",
            )


def _rarest(labels: Int64[np.ndarray, "n"], count: int) -> tuple[int, int]:
    """Find the first class with the fewest images, and how many it has.

    Classes are not listed one by one: a stray label of 10^9 would list that many.
    """
    present, images = np.unique(labels, return_counts=True)
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps):
        return int(gaps[0]), 0
    if len(present) < count:
        return len(present), 0
    return int(np.argmin(images)), int(images.min())


def _class_names(
    count: int, own: Sequence[str] | None, classes: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    error: type[ZonasError] = DatasetError
    if classes is not None:
        names, error, where = tuple(classes), UsageError, "--classes"
    elif own is not None:
        names, where = tuple(own), f"{where}: class names"
    else:
        names = tuple(str(label) for label in range(count))
    if len(names) != count:
        raise error(f"{where}: {len(names)} names for {count} classes")
    for place, name in enumerate(names):
        if not name.strip():
            raise error(f"{where}: the name of class {place} is empty")
        # Names go into terminals, JSON and the model: a line break or an escape
        # sequence in one would be a nasty surprise there.
        if not name.isprintable():
            raise error(f"{where}: {name!r} has characters that can't be printed")
        if name in names[:place]:
            raise error(f"{where}: {name!r} names two classes")
    return names


def _renamed(own: Sequence[str] | None, classes: Sequence[str] | None) -> list[str]:
    """What the data's own classes are called from here on.

    Raises:
        UsageError: a name is another class's own, or the own ones are numbers sorted as
            words: mistakes, by which the model would say one class and mean another.
    """
    if own is None or classes is None:
        return []
    order = f"the labels are, from 0: {', '.join(own)}"
    known = [name.strip().casefold() for name in own]
    for label, name in enumerate(classes):
        word = name.strip().casefold()
        if word in known and known[label] != word:
            raise UsageError(
                f"--classes: {name!r} is given to class {label}, and is the data's own"
                f" name of class {known.index(word)}",
                f"leave --classes out; {order}",
            )
    if all(name.isdecimal() for name in own) and known != sorted(known, key=int):
        raise UsageError(
            f"--classes: the data's own names are numbers sorted as words: {order}",
            "call the folders as the classes are called, and leave --classes out",
        )
    return [
        f"class {label}: {old!r} is called {new!r}"
        for label, (old, new) in enumerate(zip(own, classes, strict=True))
        if old != new
    ]


def _duplicates_notes(splits: tuple[Split, ...]) -> list[str]:
    """What images that are the same to the pixel do to the figures, a sentence each."""
    digests = [
        [hashlib.blake2b(image.data, digest_size=16).digest() for image in split.images]
        for split in splits
    ]
    known = [set(split) for split in digests]
    pairs = {
        f"{SPLITS[a]}-{SPLITS[b]}": sum(digest in known[a] for digest in digests[b])
        for a, b in combinations(range(len(splits)), 2)
    }
    judging = list(zip(SPLITS, digests, known, strict=True))[1:]
    repeats = {name: len(all_of) - len(single) for name, all_of, single in judging}
    classes: dict[bytes, set[int]] = {}
    for split, found in zip(splits, digests, strict=True):
        for digest, label in zip(found, split.labels.tolist(), strict=True):
            classes.setdefault(digest, set()).add(label)
    torn = sum(len(labels) > 1 for labels in classes.values())
    notes = []
    if any(pairs.values()):
        told = _counts(pairs)
        notes.append(
            f"identical images in two splits ({told}): figures on them flatter"
        )
    if any(repeats.values()):
        told = _counts(repeats)
        notes.append(f"images repeated in a split ({told}): intervals are too narrow")
    if torn:
        what = "1 image is" if torn == 1 else f"{torn:,} images are"
        notes.append(f"{what} there under more than one class")
    return notes


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.items())
