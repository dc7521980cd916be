"""What a user waits for: whole searches of 50 epochs, timed.

On BreastMNIST it is the command itself, its checkpoints and its ranking included; on
images of OrganSMNIST's shape, which nobody need have, the search alone on noise.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import checkout
import torch
from measuring import synchronise

from zonas_edge.compare.row import searched_seconds
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.search.feed import SearchData
from zonas_edge.search.loop import Search
from zonas_edge.search.method import DEFAULT
from zonas_edge.search.settings import SearchSettings
from zonas_edge.space import SearchSpace, TaskSpec

EPOCHS = 50
_PROFILE = "raspberry-pi-4"
_ORGANS_IMAGES, _ORGANS_CLASSES, _ORGANS_BATCH = 13_932, 11, 256


def breast_search(device: str, epochs: int = EPOCHS) -> dict[str, Any]:
    """``zonas-edge search`` on BreastMNIST, at its published batch size of 16.

    Returns:
        ``seconds`` of searching and ranking, or None and the ``reason``.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "zonas_edge", "search", "--profile", _PROFILE),
            *("--dataset", "breastmnist", "--offline", "--no-retrain", "--quiet"),
            *("--epochs", str(epochs), "--device", device, "--seed", "0"),
            *("--trial-epochs", "0"),  # they are retraining, which has its own figure
            *("--threads", str(torch.get_num_threads())),
            *("--out", folder, "--name", "speed"),
        ]
        begun = perf_counter()
        done = subprocess.run(
            command, cwd=checkout.ROOT, capture_output=True, text=True, check=False
        )
        wall = perf_counter() - begun
        if done.returncode != 0:
            return {"seconds": None, "reason": done.stderr.strip()}
        path = Path(folder) / "speed" / "run.json"
        search = json.loads(path.read_text(encoding="utf-8"))["search"]
    return {
        "seconds": searched_seconds(search),
        "wall_seconds": wall,
        "epochs": epochs,
        "epochs_run": search["epochs"],
        "alpha_updates": search["alpha_updates"],
        "profile": _PROFILE,
    }


def organs_search(device: str, epochs: int = EPOCHS) -> dict[str, Any]:
    """A search on noise of OrganSMNIST's shape; the published batch size is 256.

    Returns:
        ``seconds`` of searching, or None and the ``reason``.
    """
    if device == "cpu":
        return {"seconds": None, "reason": "on CUDA only"}
    task = TaskSpec(1, 28, 28, _ORGANS_CLASSES)
    draw = torch.Generator().manual_seed(0)
    shape = (_ORGANS_IMAGES, task.channels, task.height, task.width)
    images = torch.randint(256, shape, generator=draw, dtype=torch.uint8)
    labels = torch.randint(task.classes, shape[:1], generator=draw)
    train = DeviceSplit(images.to(device), labels.to(device))
    half = _ORGANS_IMAGES // 2
    data = SearchData(
        train.take(torch.arange(half)),
        train.take(torch.arange(half, _ORGANS_IMAGES)),
        Normalisation(0.5, 0.29),
    )
    settings = SearchSettings.of(
        DEFAULT,
        epochs=epochs,
        batch_size=_ORGANS_BATCH,
        seed=0,
        flip=False,
    )
    begun = perf_counter()
    search = Search(SearchSpace(), task, (), data, settings)
    while search.epoch < epochs:  # noise may look converged; all epochs are timed
        search.run_epoch()
    synchronise(device)
    return {
        "seconds": perf_counter() - begun,
        "epochs": epochs,
        "alpha_updates": search.alpha_updates,
        "batch": _ORGANS_BATCH,
    }


def textbook_search(device: str) -> dict[str, Any]:
    """The textbook's whole search: it has the steps of one, and no schedule."""
    del device
    return {"seconds": None, "reason": "the textbook is timed by windows alone"}


SEARCHES: dict[str, Callable[[str], dict[str, Any]]] = {
    "breastmnist": breast_search,
    "organsmnist_shape": organs_search,
    "breastmnist, textbook": textbook_search,
}
"""Every whole search by name; each is told the device."""
