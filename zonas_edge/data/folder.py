"""The user's own images as files: ``train|val|test/<class>/*.png``.

Images are taken as they are or refused by name. Dropping an alpha channel, squeezing
16 bits into 8 or resizing here would be a preprocessing that the device doesn't have.
What isn't an image is left out and said so; nothing is left out silently.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from zonas_edge.data.build import Origin, build_dataset
from zonas_edge.data.canonical import check_sides
from zonas_edge.data.dataset import SPLITS, Dataset
from zonas_edge.errors import DatasetError, reason_of

SUFFIXES: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".bmp"})

_LITTER = (".DS_Store", "._")
"""What macOS leaves in folders, by the beginning of its name."""
_LAYOUT_HINT = "a data folder holds train, val and test, each with one folder a class"
_CONVERT_HINT = "save it as 8-bit gray or RGB: Image.open(path).convert('RGB')"

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH = 24
"""Place of the bit depth in a PNG file. Pillow opens 16-bit RGB as 8-bit RGB and
doesn't tell, so it is read here."""
_DEEP = 16
_ORIENTATION = 0x0112
"""The EXIF tag; 1 or none at all means as the pixels lie."""

_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_DAMAGED = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow was seen to raise for damaged files, or is documented to."""


@dataclass
class _Ignored:
    """Files left out, for the note."""

    paths: list[str] = field(default_factory=list)

    def note(self) -> tuple[str, ...]:
        if not self.paths:
            return ()
        count = len(self.paths)
        files = "1 entry" if count == 1 else f"{count:,} entries"
        read = " ".join(sorted(SUFFIXES))
        first = self.paths[0]
        text = f"{files} left out ({first} is the first): only {read} are read"
        return (text,)


def load_folder(
    path: Path, where: str, *, flip: bool, classes: tuple[str, ...] | None
) -> Dataset:
    """Load the user's own images; classes are the folder names, sorted.

    Args:
        path: an existing folder.
        where: what to call it in an error.
        flip: whether the user says that a mirrored image keeps its class.
        classes: other class names, in order of the sorted folder names, or None.

    Raises:
        DatasetError: a split or class is missing, or an image can't be used.
        UsageError: ``classes`` don't fit the folders.
    """
    ignored = _Ignored()
    names = _classes(path, where, ignored)
    arrays = {}
    reader = _Reader()
    with warnings.catch_warnings():
        # Pillow warns of damage that it works around; what it can't is an error below.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for split in SPLITS:
            files = [
                (file, label)
                for label, name in enumerate(names)
                for file in _images(path / split / name, where, path, ignored)
            ]
            if not files:
                raise DatasetError(f"{where}: no images in {split}", _LAYOUT_HINT)
            present = {label for _, label in files}
            for label, name in enumerate(names):
                if label not in present:
                    raise DatasetError(
                        f"{where}: no images in {split}/{name}",
                        "each class has images in train, val and test",
                    )
            images = [
                reader.read(file, f"{where}: {_in(path, file)}") for file, _ in files
            ]
            arrays[f"{split}_images"] = np.stack(images)
            arrays[f"{split}_labels"] = np.array([label for _, label in files])
    origin = Origin(
        where=where,
        name=path.absolute().name,
        source=str(path.absolute()),
        flip=flip,
        notes=ignored.note(),
    )
    return build_dataset(arrays, origin, own_names=names, classes=classes)


def _in(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _entries(folder: Path, where: str) -> list[Path]:
    """Entries, in an order that no locale changes."""
    try:
        entries = [
            entry for entry in folder.iterdir() if not entry.name.startswith(_LITTER)
        ]
    except OSError as error:
        raise DatasetError(f"{where}: can't be read: {reason_of(error)}") from error
    return sorted(entries, key=lambda entry: entry.name)


def _classes(root: Path, where: str, ignored: _Ignored) -> tuple[str, ...]:
    found = {entry.name for entry in _entries(root, where)}
    for split in SPLITS:
        if not (root / split).is_dir():
            raise DatasetError(f"{where}: no folder {split}", _LAYOUT_HINT)
    ignored.paths += sorted(found - set(SPLITS))
    per_split = {}
    for split in SPLITS:
        entries = _entries(root / split, f"{where}: {split}")
        folders = [
            entry for entry in entries if entry.is_dir() and entry.name[0] != "."
        ]
        ignored.paths += [_in(root, entry) for entry in entries if entry not in folders]
        per_split[split] = {folder.name for folder in folders}
    every = set[str]().union(*per_split.values())
    for split, names in per_split.items():
        if every - names:
            raise DatasetError(
                f"{where}: no folder {split}/{min(every - names)}",
                "each class has a folder in train, val and test",
            )
    if not every:
        raise DatasetError(f"{where}: no class folders in train", _LAYOUT_HINT)
    return tuple(sorted(every))


def _images(folder: Path, where: str, root: Path, ignored: _Ignored) -> list[Path]:
    images = []
    for entry in _entries(folder, f"{where}: {_in(root, folder)}"):
        # A named pipe called x.png would block for ever: regular files only.
        if entry.is_dir():
            raise DatasetError(
                f"{where}: {_in(root, entry)}: a folder inside a class",
                "put its images into the class folder, all of a patient in one split",
            )
        if entry.name.startswith(".") or entry.suffix.lower() not in SUFFIXES:
            ignored.paths.append(_in(root, entry))
        elif entry.is_file():
            images.append(entry)
        else:
            raise DatasetError(
                f"{where}: {_in(root, entry)}: no file, perhaps a link to nothing",
                "fetch the file that it stands for, or remove it",
            )
    return images


class _Reader:
    """Reads images one after the other and holds them to the first one's form."""

    def __init__(self) -> None:
        self._first: tuple[str, str] | None = None

    def read(self, file: Path, where: str) -> UInt8[np.ndarray, "..."]:
        try:
            content = file.read_bytes()
            # The size is known before a pixel is decoded, so a bomb never goes off.
            with Image.open(
                io.BytesIO(content), formats=("PNG", "JPEG", "BMP")
            ) as image:
                _check_pixels(image, content, where)
                form = f"{image.height}x{image.width} {_kind(image)}"
                self._check_form(form, where)
                return np.asarray(image)
        except MemoryError as error:
            raise DatasetError(f"{where}: larger than the memory") from error
        except _BOMBS as error:
            raise DatasetError(
                f"{where}: far too many pixels", "resize the images first"
            ) from error
        except UnidentifiedImageError as error:
            raise DatasetError(f"{where}: not a PNG, JPEG or BMP image") from error
        except PermissionError as error:
            raise DatasetError(f"{where}: no permission to read it") from error
        except _DAMAGED as error:
            raise DatasetError(
                f"{where}: damaged image", "copy the file again, or remove it"
            ) from error

    def _check_form(self, form: str, where: str) -> None:
        if self._first is None:
            self._first = (form, where.rpartition(": ")[2])
        first, first_file = self._first
        if form != first:
            raise DatasetError(
                f"{where}: {form}, but {first_file} is {first}",
                "bring all images to one size and mode",
            )


def _kind(image: Image.Image) -> str:
    return "gray" if image.mode == "L" else image.mode


def _check_pixels(image: Image.Image, content: bytes, where: str) -> None:
    """Refuse by name what isn't plain 8-bit gray or RGB of a usable size."""
    png_depth = content[_PNG_DEPTH] if content.startswith(_PNG_MAGIC) else 0
    if png_depth == _DEEP or image.mode.startswith("I"):
        raise DatasetError(
            f"{where}: 16-bit image, 8 bits are needed",
            "choose a window and rescale it to 0..255: the model sees the same then",
        )
    if image.mode == "P":
        raise DatasetError(f"{where}: palette image", _CONVERT_HINT)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        raise DatasetError(f"{where}: image with transparency", _CONVERT_HINT)
    if image.mode not in {"L", "RGB"}:
        raise DatasetError(f"{where}: mode {image.mode} image", _CONVERT_HINT)
    check_sides(image.height, image.width, where)  # before PNG's pixels are decoded
    if image.getexif().get(_ORIENTATION, 1) != 1:
        # some readers turn such an image and some don't: a device would see another one
        raise DatasetError(
            f"{where}: to be turned when it is shown (EXIF orientation)",
            "turn the pixels themselves, as PIL.ImageOps.exif_transpose does",
        )
    if getattr(image, "n_frames", 1) > 1:
        raise DatasetError(f"{where}: holds several frames", "save one image a file")
