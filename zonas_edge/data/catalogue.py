"""What is known of the MedMNIST sets before any file is opened.

The package ``medmnist`` holds addresses, checksums and class names in one plain module.
Its ``__init__`` imports torchvision, which doesn't import beside every torch, and the
module itself makes a folder in the home when it is run. So the table is read as text.

Source: Yang et al. (2023), MedMNIST v2, Scientific Data 10:41; package 3.0.2.
"""

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zonas_edge.data.dataset import SPLITS
from zonas_edge.errors import DatasetError

SIDE = 28
"""Side of the images of the files without a size in their name."""

_SIDES: tuple[int, ...] = (SIDE, 64, 128, 224)

_ORGANS = "left and right organs are different classes"
_FLIPS: Mapping[str, tuple[bool, str]] = {
    "pathmnist": (True, "tissue under a microscope has no left and right"),
    "bloodmnist": (True, "a cell on a slide has no left and right"),
    "tissuemnist": (True, "a kidney cell in a section has no left and right"),
    "dermamnist": (True, "a lesion is the same in a mirror"),
    "octmnist": (True, "left and right eyes are mirror images, of the same classes"),
    "retinamnist": (True, "left and right eyes are mirror images, of the same classes"),
    "pneumoniamnist": (True, "either lung may be inflamed; the class says not which"),
    "breastmnist": (True, "either breast, from either side, has the same classes"),
    "organamnist": (False, _ORGANS),
    "organcmnist": (False, _ORGANS),
    "organsmnist": (False, _ORGANS),
}
"""Does a mirrored image keep its class? Our judgement from the class names, and why."""

_BATCH_SIZES: Mapping[str, int] = {
    "pathmnist": 512,
    "bloodmnist": 128,
    "dermamnist": 128,
    "pneumoniamnist": 32,
    "tissuemnist": 512,
    "octmnist": 512,
    "breastmnist": 16,
    "organamnist": 256,
    "organcmnist": 256,
    "organsmnist": 256,
}
"""Search batches of the published ZO-DARTS++ code, for 28x28."""

_WARNINGS: Mapping[str, str] = {
    "dermamnist": (
        "dermamnist shows some lesions in both train and test, so test figures flatter"
        " (doi 10.1038/s41597-025-04382-5)"
    )
}


@dataclass(frozen=True)
class RemoteFile:
    """An address and the MD5 of what lies there."""

    url: str
    md5: str


@dataclass(frozen=True)
class KnownSet:
    """One set of the catalogue.

    Args:
        counts: images of train, val and test.
        obstacle: why the set can't be used, None where it can.
        files: the file of each image side.
    """

    name: str
    channels: int
    class_names: tuple[str, ...]
    counts: tuple[int, int, int]
    licence: str
    obstacle: str | None
    files: Mapping[int, RemoteFile]

    @property
    def flip(self) -> bool:
        """Whether a mirrored image keeps its class; sets not in the table: no."""
        return self.name in _FLIPS and _FLIPS[self.name][0]

    @property
    def flip_reason(self) -> str:
        """Why a mirrored image keeps its class, or doesn't."""
        return _FLIPS[self.name][1] if self.name in _FLIPS else "nobody judged it yet"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user of the set must know."""
        notes = []
        if "-NC" in self.licence:
            notes.append(
                f"{self.name} is licensed {self.licence}: no commercial use, of a model"
                " trained on it neither"
            )
        return (*notes, *filter(None, [_WARNINGS.get(self.name)]))

    def batch_size(self, side: int) -> int | None:
        """Published batch size of the search, where there is one."""
        return _BATCH_SIZES.get(self.name) if side == SIDE else None


@cache
def catalogue() -> Mapping[str, KnownSet]:
    """All sets that the installed ``medmnist`` knows, usable or not."""
    return {name: _known(name, info) for name, info in _information().items()}


def variant(name: str, side: int) -> str:
    """Name of a set at a size, which is also the stem of its file."""
    return name if side == SIDE else f"{name}_{side}"


def variants() -> dict[str, tuple[KnownSet, int]]:
    """Every name that can be asked for, with the set and the side that it means."""
    return {
        variant(name, side): (known, side)
        for name, known in catalogue().items()
        for side in known.files
    }


def _information() -> dict[str, dict[str, Any]]:
    """Read the literal ``INFO`` of ``medmnist/info.py`` without running the module."""
    spec = importlib.util.find_spec("medmnist")
    if spec is None or not spec.submodule_search_locations:
        raise DatasetError(
            "medmnist: the package is not installed", "pip install medmnist"
        )
    file = Path(spec.submodule_search_locations[0]) / "info.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INFO":
            information: dict[str, dict[str, Any]] = ast.literal_eval(node.value)
            return information
    raise ImportError(f"{file} holds no INFO")


def _known(name: str, info: Mapping[str, Any]) -> KnownSet:
    suffixes = {side: "" if side == SIDE else f"_{side}" for side in _SIDES}
    labels: Mapping[str, str] = info["label"]
    train, val, test = (int(info["n_samples"][split]) for split in SPLITS)
    return KnownSet(
        name=name,
        channels=int(info["n_channels"]),
        class_names=tuple(labels[key] for key in sorted(labels, key=int)),
        counts=(train, val, test),
        licence=info["license"],
        obstacle=_obstacle(name, info["task"]),
        files={
            side: RemoteFile(info[f"url{suffix}"], info[f"MD5{suffix}"])
            for side, suffix in suffixes.items()
            if f"url{suffix}" in info
        },
    )


def _obstacle(name: str, task: str) -> str | None:
    if name.endswith("3d"):
        return "its images are volumes (3-D), only flat images can be used"
    if task.startswith("multi-label"):
        return "an image may have several labels (multi-label), only one can be used"
    return None
