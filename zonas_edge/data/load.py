"""From the word after ``--dataset`` to a checked data set.

A source is ``digits``, the name of a MedMNIST set, or a path: whatever has a slash or
ends in ``.npz``. A name that can't be used is refused before any file is looked for.
"""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from zonas_edge.data import sample
from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.catalogue import catalogue, variants
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.folder import load_folder
from zonas_edge.data.medmnist import check_md5, download, locate
from zonas_edge.data.npz import load_npz, read_npz
from zonas_edge.errors import DatasetError, UsageError, did_you_mean, reason_of

_LIST_HINT = "zonas-edge datasets list"


@dataclass(frozen=True)
class KnownDataset:
    """A line of ``datasets list``.

    Args:
        sides: image sides to be had; other than the first as ``<name>_<side>``.
        obstacle: why the set can't be used, None where it can.
    """

    name: str
    channels: int
    classes: int
    train: int
    val: int
    test: int
    sides: tuple[int, ...]
    licence: str
    obstacle: str | None


def dataset_names() -> list[KnownDataset]:
    """Every set that has a name, the embedded sample first; reads no data."""
    sample_line = KnownDataset(
        sample.NAME, 1, 10, *sample.COUNTS, (sample.SIDE,), sample.LICENCE, None
    )
    return [sample_line] + [
        KnownDataset(
            known.name,
            known.channels,
            len(known.class_names),
            *known.counts,
            tuple(known.files),
            known.licence,
            known.obstacle,
        )
        for known in catalogue().values()
    ]


def load_dataset(
    source: str,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    flip: bool = False,
    classes: tuple[str, ...] | None = None,
    progress: bool = True,
) -> Dataset:
    """Load a data set and check all of it.

    Args:
        source: ``digits``, a MedMNIST name, or the path of an ``.npz`` or a folder.
        data_dir: where files of MedMNIST sets are looked for and put; without it
            ``$ZONAS_EDGE_DATA``, else ``~/.medmnist``.
        offline: never fetch.
        flip: the user's word that a mirrored image keeps its class; known sets have
            their own judgement, and those where it does not refuse.
        classes: class names to use instead of those of the data, in label order.
        progress: show a bar while fetching, on a terminal.

    Raises:
        UsageError: an unknown or unsupported name, or options that don't fit it.
        DatasetError: data that are missing, damaged or can't be used.
    """
    own = is_path(source)
    if not own:
        _check_name(source)
        _check_flip(source, flip=flip)
    if data_dir is not None:
        locate(data_dir)
    if own:
        return _load_own(source, flip=flip, classes=classes)
    if source == sample.NAME:
        return sample.load_digits(classes)
    file = fetch(source, data_dir=data_dir, offline=offline, progress=progress)
    known, side = variants()[source]
    origin = Origin(
        where=source,
        name=source,
        source=source,
        folder=str(file.parent),
        licence=known.licence,
        flip=known.flip,
        batch_size=known.batch_size(side),
        notes=known.notes,
    )
    arrays = read_npz(file, str(file))
    return build_dataset(arrays, origin, own_names=known.class_names, classes=classes)


def fetch(
    name: str,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    progress: bool = True,
) -> Path:
    """Make sure that the file of a MedMNIST set is there and correct.

    Returns:
        The file, as an absolute path.

    Raises:
        UsageError: a name without a file.
        DatasetError: it is missing while offline, can't be fetched, or is another file.
    """
    if is_path(name):
        raise UsageError(
            f"{name}: a file of your own, there is nothing to fetch",
            f"zonas-edge run --profile NAME --dataset {shlex.quote(name)}",
        )
    _check_name(name)
    if name == sample.NAME:
        raise UsageError(f"{name}: comes with scikit-learn, there is nothing to fetch")
    known, side = variants()[name]
    folder = locate(data_dir)
    file = folder / f"{name}.npz"
    if not _exists(file):
        if offline:
            raise DatasetError(
                f"{name}: no {file.name} in {folder}, and fetching is off (offline)",
                f"{_fetching(name, data_dir)}, or put the file there",
            )
        download(known.files[side], file, name, progress=progress)
    check_md5(file, known.files[side], name, _fetching(name, data_dir))
    return file


def _fetching(name: str, data_dir: Path | None) -> str:
    """The command that fetches a set into the same folder."""
    place = [] if data_dir is None else ["--data-dir", str(data_dir)]
    return shlex.join(["zonas-edge", "datasets", "fetch", name, *place])


def is_path(source: str) -> bool:
    """Whether a source is a path rather than a name."""
    slashes = {os.sep, os.altsep or os.sep}
    return source.endswith(".npz") or any(slash in source for slash in slashes)


def _check_name(name: str) -> None:
    """Refuse an unknown name, or a set that can't be used."""
    if name == sample.NAME:
        return
    named = variants()
    if name not in named:
        hint = did_you_mean(name.lower(), [*named, sample.NAME])
        if _exists(Path(name)):
            hint = f"did you mean ./{name}?"
        raise UsageError(f"{name}: unknown dataset", hint or _LIST_HINT)
    obstacle = named[name][0].obstacle
    if obstacle is not None:
        raise UsageError(f"{name}: {obstacle}", _LIST_HINT)


def _check_flip(name: str, *, flip: bool) -> None:
    """Mirroring never changes a label, whatever was asked for."""
    allowed, reason = False, "a mirrored figure is another shape"
    if name != sample.NAME:
        known, _ = variants()[name]
        allowed, reason = known.flip, known.flip_reason
    if flip and not allowed:
        raise UsageError(f"{name}: can't be mirrored: {reason}", "leave out --flip")


def _load_own(source: str, *, flip: bool, classes: tuple[str, ...] | None) -> Dataset:
    try:
        path = Path(source).expanduser()
        mode = path.stat().st_mode
    except OSError as error:
        raise DatasetError(f"{source}: {reason_of(error)}") from error
    except RuntimeError as error:
        raise DatasetError(f"{source}: no such user") from error
    if stat.S_ISDIR(mode):
        return load_folder(path, source, flip=flip, classes=classes)
    if not stat.S_ISREG(mode):  # a named pipe would block for ever
        raise DatasetError(f"{source}: neither a file nor a folder")
    return load_npz(path, source, flip=flip, classes=classes)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than the file system takes, no permission
        return False
