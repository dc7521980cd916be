"""What is measured: models with their images, and how they are laid out to travel.

A target takes a list of jobs and answers them over one connection. Files that several
jobs share travel once, under short names, beside the manifest that ``runner.py`` reads.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zonas_edge.errors import UsageError, reason_of

RUNNER: Final = Path(__file__).with_name("runner.py")
SCHEMA: Final = 1
"""Of the manifest and of the answer, as in ``runner.py``."""

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Repeats:
    """How often a latency is measured: ``runs``, or once ``seconds`` pass ``least``."""

    runs: int = 1000
    seconds: float = 5.0
    least: int = 100
    warmup: int = 50


@dataclass(frozen=True)
class Job:
    """One model to measure.

    Args:
        model: the ONNX file.
        images: .npy of uint8 [N, C, H, W], all predicted one by one.
        golden: .npz with ``images`` and ``probabilities`` for parity, or None.
        threads: intra-op threads, >= 1.
        provider: execution provider of ONNX Runtime.
        repeats: how often the latency is measured.
    """

    model: Path
    images: Path
    golden: Path | None = None
    threads: int = 1
    provider: str = "CPUExecutionProvider"
    repeats: Repeats = Repeats()

    @property
    def files(self) -> dict[str, Path]:
        """What travels for it, by key of the manifest."""
        files = {"model": self.model, "images": self.images}
        return files if self.golden is None else {**files, "golden": self.golden}


def check_files(jobs: Sequence[Job]) -> None:
    """See that every file of the jobs is there.

    Raises:
        UsageError: names the first that is missing.
    """
    for job in jobs:
        for file in job.files.values():
            if not file.is_file():
                raise UsageError(f"{file}: no such file", hint="zonas-edge export RUN")


def travelling_names(jobs: Sequence[Job]) -> dict[Path, str]:
    """A name for every file, once: ``model.onnx``, ``model-2.onnx``, ``images.npy``."""
    names: dict[Path, str] = {}
    counts: dict[str, int] = {}
    for job in jobs:
        for kind, file in job.files.items():
            if file in names:
                continue
            number = counts[kind] = counts.get(kind, 0) + 1
            stem = kind if number == 1 else f"{kind}-{number}"
            names[file] = stem + {"model": ".onnx", "images": ".npy"}.get(kind, ".npz")
    return names


def manifest(jobs: Sequence[Job], names: dict[Path, str]) -> dict[str, Any]:
    """The jobs as ``runner.py`` reads them, each file by its name in ``names``."""
    hashes = {file: sha256_of_file(file) for file in {job.model for job in jobs}}
    return {
        "schema": SCHEMA,
        "jobs": [
            {
                "model": names[job.model],
                "model_sha256": hashes[job.model],
                "images": names[job.images],
                "golden": None if job.golden is None else names[job.golden],
                "threads": job.threads,
                "provider": job.provider,
                "runs": job.repeats.runs,
                "seconds": job.repeats.seconds,
                "min_runs": job.repeats.least,
                "warmup": job.repeats.warmup,
            }
            for job in jobs
        ],
    }


def manifest_bytes(content: dict[str, Any]) -> bytes:
    """A manifest as a file, the same bytes for the same jobs."""
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def sha256_of_file(path: Path) -> str:
    """Hash of a file's bytes, as ``runner.py`` makes it on the device."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder of this machine, always removed.

    Raises:
        UsageError: the system refuses, or the folder is full.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="zonas-edge-") as name:
            yield Path(name)
    except OSError as error:
        raise UsageError(
            f"{error.filename or tempfile.gettempdir()}: {reason_of(error)}",
            hint="free space, or set TMPDIR to a folder that has some",
        ) from error
