"""The user's own image folder: what is read, and what is refused by file name."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.data.arrays import refusal, save_npz, sound_arrays
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import DatasetError, UsageError
from zonas_edge.space import TaskSpec

NAMES = ("cyst", "solid")
CONVERT_HINT = "save it as 8-bit gray or RGB: Image.open(path).convert('RGB')"
VICTIM = "val/cyst/0.png"


def save_folder(root: Path, *, channels: int | None = None) -> Path:
    """Write the images of `sound_arrays` as PNG files; their order stays the same."""
    arrays = sound_arrays(channels=channels)
    for split in ("train", "val", "test"):
        pairs = zip(arrays[f"{split}_images"], arrays[f"{split}_labels"], strict=True)
        for place, (pixels, label) in enumerate(pairs):
            folder = root / split / NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{place:x}.png")
    return root


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound folder ``./scans``, gray."""
    monkeypatch.chdir(tmp_path)
    return save_folder(tmp_path / "scans")


@pytest.mark.parametrize("channels", [None, 3])
def test_a_folder_and_an_npz_of_the_same_images_have_the_same_hash(
    tmp_path: Path, channels: int | None
) -> None:
    """The .npz holds the images class by class, as the folder is read."""
    arrays = sound_arrays(channels=channels)
    for split in ("train", "val", "test"):
        order = np.argsort(arrays[f"{split}_labels"], kind="stable")
        for kind in ("images", "labels"):
            arrays[f"{split}_{kind}"] = arrays[f"{split}_{kind}"][order]
    arrays["class_names"] = np.array(NAMES)
    packed = load_dataset(str(save_npz(tmp_path / "own.npz", arrays)))
    loose = load_dataset(str(save_folder(tmp_path / "scans", channels=channels)))
    assert loose.sha256 == packed.sha256
    assert (loose.class_names, loose.notes) == (NAMES, ())


def test_the_classes_are_the_sorted_folder_names(scans: Path) -> None:
    dataset = load_dataset("./scans")
    assert (dataset.name, dataset.source) == ("scans", str(scans))
    assert dataset.class_names == NAMES
    assert dataset.task == TaskSpec(1, 8, 8, 2)
    assert load_dataset("./scans", classes=("a", "b")).class_names == ("a", "b")
    with pytest.raises(UsageError) as caught:
        load_dataset("./scans", classes=("a",))
    assert str(caught.value) == "--classes: 1 names for 2 classes"


@pytest.mark.usefixtures("scans")
def test_other_names_are_told_and_the_same_ones_in_another_order_refused() -> None:
    """Else the model would say one class and mean the other."""
    renamed = load_dataset("./scans", classes=("cyst", "tumour"))
    assert "class 1: 'solid' is called 'tumour'" in renamed.notes
    assert load_dataset("./scans", classes=NAMES).notes == load_dataset("./scans").notes


@pytest.mark.usefixtures("scans")
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            NAMES[::-1],
            "'solid' is given to class 0, and is the data's own name of class 1",
        ),
        (
            ("Solid ", "lesion"),
            "'Solid ' is given to class 0, and is the data's own name of class 1",
        ),
    ],
)
def test_a_name_that_is_another_class_s_own_is_refused(
    classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_dataset("./scans", classes=classes)
    assert str(caught.value) == f"--classes: {message}"
    assert caught.value.hint == (
        "leave --classes out; the labels are, from 0: cyst, solid"
    )


def test_folders_that_are_numbers_sorted_as_words_are_not_renamed(scans: Path) -> None:
    for split in ("train", "val", "test"):
        (scans / split / "cyst").rename(scans / split / "2")
        (scans / split / "solid").rename(scans / split / "10")
    assert load_dataset("./scans").class_names == ("10", "2")
    with pytest.raises(UsageError) as caught:
        load_dataset("./scans", classes=("cyst", "solid"))
    assert str(caught.value) == (
        "--classes: the data's own names are numbers sorted as words: the labels are,"
        " from 0: 10, 2"
    )


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_image_that_readers_turn_or_don_t_is_refused(
    scans: Path, orientation: int
) -> None:
    file = scans / VICTIM
    image = Image.open(file)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(file, exif=exif)
    if orientation == 1:
        load_dataset("./scans")
        return
    error = refusal("./scans")
    assert str(error).endswith(
        f"{VICTIM}: to be turned when it is shown (EXIF orientation)"
    )
    assert "exif_transpose" in str(error.hint)


def test_jpeg_and_bmp_are_read_whatever_the_case_of_the_ending(scans: Path) -> None:
    before = load_dataset("./scans")
    for ending in ("JPG", "jpeg", "bmp"):
        Image.new("L", (8, 8), 9).save(scans / "train" / "cyst" / f"more.{ending}")
    assert len(load_dataset("./scans").train) == len(before.train) + 3


def test_what_is_left_out_is_told_except_litter(scans: Path) -> None:
    (scans / "val" / "cyst" / ".DS_Store").touch()
    (scans / "val" / "cyst" / "._0.png").touch()
    assert load_dataset("./scans").notes == ()
    (scans / "readme.txt").touch()
    (scans / "val" / "cyst" / "scan.dcm").touch()
    assert load_dataset("./scans").notes == (
        (
            "2 entries left out (readme.txt is the first):"
            " only .bmp .jpeg .jpg .png are read"
        ),
    )


def test_hidden_images_and_classes_are_told_to_be_left_out(scans: Path) -> None:
    (scans / "train" / ".old").mkdir()
    (scans / "val" / "cyst" / ".copy.png").touch()
    (note,) = load_dataset("./scans").notes
    assert note.startswith("2 entries left out (train/.old is the first)")


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_an_image_that_is_no_file_is_refused(scans: Path, kind: str) -> None:
    """As in a checkout whose large files are not all fetched."""
    place = scans / "train" / "cyst" / "more.png"
    if kind == "link":
        place.symlink_to(scans / "nowhere")
    else:
        os.mkfifo(place)
    error = refusal("./scans")
    assert str(error) == (
        "./scans: train/cyst/more.png: no file, perhaps a link to nothing"
    )
    assert error.hint == "fetch the file that it stands for, or remove it"


def test_a_folder_inside_a_class_is_refused(scans: Path) -> None:
    """A patient's: its images would be missing without a word."""
    (scans / "test" / "solid" / "patient1").mkdir()
    error = refusal("./scans")
    assert str(error) == ("./scans: test/solid/patient1: a folder inside a class")
    assert error.hint == (
        "put its images into the class folder, all of a patient in one split"
    )


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG with a sound header and empty pixel data."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


WINDOW_HINT = "choose a window and rescale it to 0..255: the model sees the same then"
BAD_IMAGES: list[tuple[str, bytes, str, str | None]] = [
    ("text", b"not an image", ": not a PNG, JPEG or BMP image", None),
    ("empty", b"", ": not a PNG, JPEG or BMP image", None),
    (
        "truncated",
        saved(Image.effect_noise((8, 8), 99))[:-40],
        ": damaged image",
        "copy the file again, or remove it",
    ),
    (
        "16-bit gray",
        saved(Image.new("I;16", (8, 8))),
        ": 16-bit image, 8 bits are needed",
        WINDOW_HINT,
    ),
    (
        "16-bit RGB, which Pillow opens as 8-bit",
        png_header(8, 8, 16, 2),
        ": 16-bit image, 8 bits are needed",
        WINDOW_HINT,
    ),
    (
        "RGBA",
        saved(Image.new("RGBA", (8, 8))),
        ": image with transparency",
        CONVERT_HINT,
    ),
    (
        "gray with a transparent level",
        saved(Image.new("L", (8, 8)), transparency=0),
        ": image with transparency",
        CONVERT_HINT,
    ),
    ("palette", saved(Image.new("P", (8, 8))), ": palette image", CONVERT_HINT),
    (
        "palette with alpha",
        saved(Image.new("P", (8, 8)), transparency=0),
        ": palette image",
        CONVERT_HINT,
    ),
    (
        "CMYK",
        saved(Image.new("CMYK", (8, 8)), "JPEG"),
        ": mode CMYK image",
        CONVERT_HINT,
    ),
    ("bilevel", saved(Image.new("1", (8, 8))), ": mode 1 image", CONVERT_HINT),
    (
        "animated",
        saved(
            Image.new("L", (8, 8)),
            save_all=True,
            append_images=[Image.new("L", (8, 8), 9)],
        ),
        ": holds several frames",
        "save one image a file",
    ),
    (
        "another size",
        saved(Image.new("L", (9, 8))),
        ": 8x9 gray, but train/cyst/0.png is 8x8 gray",
        "bring all images to one size and mode",
    ),
    (
        "another mode",
        saved(Image.new("RGB", (8, 8))),
        ": 8x8 RGB, but train/cyst/0.png is 8x8 gray",
        "bring all images to one size and mode",
    ),
    (
        "too large",
        saved(Image.new("L", (225, 8))),
        " is 8x225 pixels, sides go from 8 to 224",
        "resize the images first",
    ),
    (
        "large enough for a warning of a bomb",
        png_header(10_000, 10_000, 8, 0),
        ": far too many pixels",
        "resize the images first",
    ),
    (
        "a bomb",
        png_header(60_000, 60_000, 8, 0),
        ": far too many pixels",
        "resize the images first",
    ),
]


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [case[1:] for case in BAD_IMAGES],
    ids=[case[0] for case in BAD_IMAGES],
)
def test_an_unusable_image_is_refused_by_name(
    scans: Path, content: bytes, what: str, hint: str | None
) -> None:
    (scans / VICTIM).write_bytes(content)
    error = refusal("./scans")
    assert isinstance(error, DatasetError)
    assert (str(error), error.hint) == (f"./scans: {VICTIM}{what}", hint)


LAYOUT_HINT = "a data folder holds train, val and test, each with one folder a class"


def remove(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()


def empty(folder: Path) -> None:
    remove(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("change", "part", "what", "hint"),
    [
        (remove, "val", "no folder val", LAYOUT_HINT),
        (
            remove,
            "test/solid",
            "no folder test/solid",
            "each class has a folder in train, val and test",
        ),
        (
            empty,
            "val/cyst",
            "no images in val/cyst",
            "each class has images in train, val and test",
        ),
        (
            empty,
            "train/solid",
            "no images in train/solid",
            "each class has images in train, val and test",
        ),
    ],
)
def test_a_missing_folder_or_class_is_named(
    scans: Path, change: Callable[[Path], None], part: str, what: str, hint: str
) -> None:
    change(scans / part)
    error = refusal("./scans")
    assert (str(error), error.hint) == (f"./scans: {what}", hint)


def test_a_split_without_classes_or_images_is_refused(scans: Path) -> None:
    for split in ("train", "val", "test"):
        empty(scans / split)
    assert str(refusal("./scans")) == "./scans: no class folders in train"
    for split in ("train", "val", "test"):
        (scans / split / "cyst").mkdir()
    assert str(refusal("./scans")) == "./scans: no images in train"


@bounded(max_examples=80)
@given(
    st.sampled_from(["PNG", "JPEG", "BMP"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_damaged_image_never_raises_anything_but_an_error_for_the_user(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    changes: list[tuple[float, int]],
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    content = bytearray(saved(Image.linear_gradient("L").resize((8, 8)), kind))
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
            for copy in ("0.png", "1.png"):
                (root / split / label / copy).write_bytes(content)
    try:
        dataset = load_dataset(str(root))
    except DatasetError:
        return
    assert len(dataset.train) == 4


def test_an_image_of_the_wrong_size_is_never_decoded(
    scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (4000, 4000)).save(scans / VICTIM)
    read = PngImageFile.load

    def load(image: PngImageFile) -> object:
        assert image.width < 4000
        return read(image)

    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(DatasetError, match="4000x4000 pixels"):
        load_dataset("./scans")
