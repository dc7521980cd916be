"""Shared fixtures: where the real data lie, and golden files."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Rewrite the golden files."
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason="needs CUDA")
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: these networks are too small for more, and exactness likes it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def _untyped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter traces with sizes that are tensors, which jaxtyping can't check."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with ``tests/golden/<name>``; ``--update-golden`` rewrites it."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def medmnist_dir() -> Path:
    """The folder with real MedMNIST files; tests that need it skip without."""
    folder = Path(os.environ.get("ZONAS_EDGE_DATA", Path.home() / ".medmnist"))
    if not (folder / "breastmnist.npz").is_file():
        pytest.skip("no breastmnist.npz; set ZONAS_EDGE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def blood_file(medmnist_dir: Path) -> Path:
    """Real RGB cells in a user's own .npz, beside the MedMNIST folder."""
    file = medmnist_dir.parent / "medsets" / "pbc_blood.npz"
    if not file.is_file():
        pytest.skip("no medsets/pbc_blood.npz beside ZONAS_EDGE_DATA")
    return file


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """See that a child gets SIGINT even if we were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
