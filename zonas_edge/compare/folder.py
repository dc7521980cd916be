"""The folder of a comparison, which one command at a time works in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from zonas_edge.artifact import lock_folder, read_json, write_json
from zonas_edge.artifact.files import plain_errors, strangers, sweep
from zonas_edge.compare.plan import Settings
from zonas_edge.errors import UsageError

GONE_S = 15.0
"""Seconds for which the workers of a killed comparison may still hold its folder."""

_NEW = "choose another folder with --out"


class Folder:
    """The files of a comparison.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "compare.json"
        self.results = path / "results.json"
        self.runs = path / "runs"
        self.logs = path / "logs"

    @contextmanager
    def held(self, settings: Settings, *, resume: bool) -> Iterator[int]:
        """Begin a comparison here, or go on with one, and keep others out of it.

        Yields:
            The descriptor that holds the lock, for the workers to inherit.

        Raises:
            UsageError: there is another one, or the system refuses.
        """
        with plain_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._check(resume=resume)
        with lock_folder(self.path, f"wait for it, or {_NEW}", GONE_S) as descriptor:
            sweep(self.path)
            self._begin(settings)
            yield descriptor

    def _check(self, *, resume: bool) -> None:
        if self.record.is_file():
            if not resume:
                raise UsageError(
                    f"{self.path}: this comparison exists already",
                    f"add --resume to go on with it, or {_NEW}",
                )
        elif strangers(self.path):
            raise UsageError(
                f"{self.path}: a folder with files in it that is no comparison", _NEW
            )

    def _begin(self, settings: Settings) -> None:
        wanted = asdict(settings)
        if self.record.is_file():
            begun = read_json(self.record).get("settings", {})
            for key, value in wanted.items():
                if begun.get(key) != value:
                    raise UsageError(
                        f"{self.path}: {key.replace('_', '-')} is {value}, the"
                        f" comparison's is {begun.get(key)}, so it can't be resumed",
                        f"repeat its own command with --resume, or {_NEW}",
                    )
        else:
            created = datetime.now(UTC).isoformat(timespec="microseconds")
            write_json(self.record, {"created": created, "settings": wanted})
        with plain_errors(self.path):
            for folder in (self.runs, self.logs):
                folder.mkdir(exist_ok=True)
