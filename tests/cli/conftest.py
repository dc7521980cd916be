"""The installed program, a small space, and data for a search of seconds."""

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(sysconfig.get_path("scripts")) / "zonas-edge"
PROFILES = Path(__file__).parents[2] / "profiles"
SHORT = ["--epochs", "3", "--retrain-epochs", "3"]


@dataclass(frozen=True)
class Bench:
    """A folder with a profile and data, in which the program is started."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(PROGRAM), *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, limit_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )


def a_profile(**replaced: str) -> str:
    """The shipped x86-64 with a space of 4 channels, and some lines replaced."""
    lines = (PROFILES / "x86-64.toml").read_text(encoding="utf-8").splitlines()
    kept = [
        f"{key} = {replaced[key]}" if (key := line.split(" ")[0]) in replaced else line
        for line in lines
    ]
    return "\n".join([*kept, "[space]", "channels = 4", "max_depth = 1", ""])


def deny_this_runtime(folder: Path) -> str:
    """A profile as the bench's that forbids this machine's ONNX Runtime; its path."""
    text = (folder / "small.toml").read_text(encoding="utf-8")
    denied = f'[runtime]\ndeny = ["{version("onnxruntime")}"]'
    (folder / "denied.toml").write_text(
        text.replace("[runtime]", denied), encoding="utf-8"
    )
    return "./denied.toml"


def write_images(file: Path, seed: int = 0) -> None:
    """8x8 images of three classes, each with a bright band of its own, as MedMNIST."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {"class_names": np.array(["low", "middle", "high"])}
    for split, count in (("train", 60), ("val", 15), ("test", 15)):
        labels = np.arange(count) % 3
        images = rng.integers(0, 160, (count, 8, 8))
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 3] += 90
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
    np.savez(file, **arrays)


def furnish(folder: Path) -> Bench:
    (folder / "small.toml").write_text(a_profile(), encoding="utf-8")
    (folder / "tight.toml").write_text(a_profile(parameters="9"), encoding="utf-8")
    (folder / "old.toml").write_text(
        a_profile(max_opset="9", max_ir="4"), encoding="utf-8"
    )
    write_images(folder / "bands.npz")
    return Bench(folder)


@pytest.fixture(autouse=True)
def _no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parallel test run sets COLUMNS; the commands shall see a plain pipe."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return furnish(tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with one whole run in it, ``whole``; tests read it only."""
    found = furnish(tmp_path_factory.mktemp("done"))
    made = found.run(*a_run("whole"))
    assert made.returncode == 0, made.stderr
    return found


@pytest.fixture
def copy(tmp_path: Path, done: Bench) -> Bench:
    """A bench with a whole run in it that may be changed."""
    found = furnish(tmp_path)
    shutil.copytree(done.folder / "exports", tmp_path / "exports")
    return found


def a_run(name: str) -> list[str]:
    """The words of a run on the small data."""
    words = ["run", "--profile", "./small.toml", "--dataset", "./bands.npz"]
    return [*words, *SHORT, "--name", name, "--threads", "1"]
