"""This machine as a target.

The runner runs in a process of its own, as on a device: peak memory and timings are
then without torch, and a runtime that dies of an illegal instruction doesn't take the
command along. What lies in the working directory is never imported (``-P``).
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonas_edge.device.answer import read_ended
from zonas_edge.device.job import (
    MANIFEST,
    RUNNER,
    Job,
    check_files,
    manifest,
    manifest_bytes,
    travelling_names,
    workspace,
)
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.process import Progress, run_child
from zonas_edge.errors import TargetError, reason_of

LOCAL: Final = "local"
"""This machine, as a target's name."""


def place_of(target: str) -> str:
    """Where a target of that name measures, for a sentence."""
    return "this machine" if target == LOCAL else target


@dataclass(frozen=True)
class LocalTarget:
    """This machine.

    Args:
        python: the words of the interpreter; ours, with the packages that it has,
            wherever they were installed.
    """

    python: tuple[str, ...] = (sys.executable, "-P")

    @property
    def name(self) -> str:
        """What the user calls it."""
        return LOCAL

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        """Measure every job with ``runner.py`` in one process, in the order given.

        Args:
            jobs: what to measure; at least one.
            progress: is called with each line of progress.

        Raises:
            UsageError: a file is missing or damaged, or there is no space.
            AcceptanceError: a probability is not finite.
            IncompatibleError: a model doesn't load or run here.
            TargetError: this machine doesn't have the provider, or the runner died.
        """
        check_files(jobs)
        where, python = "this machine", shlex.join(self.python)
        with workspace() as folder:
            names = {
                file: str(_readable(file.resolve(), folder / name))
                for file, name in travelling_names(jobs).items()
            }
            listed = folder / MANIFEST
            listed.write_bytes(manifest_bytes(manifest(jobs, names)))
            command = [*self.python, str(RUNNER), "--jobs", str(listed)]
            try:
                ended = run_child(command, progress=progress)
            except (FileNotFoundError, PermissionError) as error:
                raise TargetError(
                    f"{where}: no interpreter {python}, {reason_of(error)}",
                    hint="--python with the path of a Python 3.6 or later",
                ) from error
        return read_ended(ended, jobs, where, python)


def _readable(file: Path, link: Path) -> Path:
    """A path that ONNX Runtime takes: it knows no names that are not UTF-8."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        link.symlink_to(file)
        return link
    return file
