"""A server to measure through, and a short job for it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.device.sshd import Server, a_server
from tests.device.tiny import TINY, tiny_images, write_golden
from zonas_edge.device.job import Job, Repeats

QUICK = Repeats(runs=20, warmup=2)
ENDLESS = Repeats(runs=10**9, seconds=600)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def a_job(
    folder: Path, *, model: Path = TINY, images: int = 6, repeats: Repeats = QUICK
) -> Job:
    """The tiny model on random images, with golden vectors."""
    file = folder / f"images-{images}.npy"
    np.save(file, tiny_images(images))
    golden = write_golden(folder / "golden.npz", tiny_images(3))
    return Job(model, file, golden, repeats=repeats)
