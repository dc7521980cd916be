"""Files that are whole or not there: atomic writes, JSON, lines, one line of error.

A process may die at any byte. A file is therefore written beside its place and moved
over the old one when it is complete and on the disk; a log grows by lines, and a line
without its end is one that was never written.

Source: rename(2) replaces atomically on one file system; fsync(2) on what is durable.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zonas_edge.errors import UsageError, reason_of

SCHEMA = 1
"""Version of the JSON files of a run whose content brings none of its own."""

REPAIR = "restore the file, or delete the folder it is in"
LOCK = ".lock"
"""The file whose lock keeps others out of a folder."""
_TEMPORARY = ".tmp-"
_POLL_S = 0.05
_ELSEWHERE = "choose another folder with --out"
_HINTS = {
    errno.ENOSPC: f"free some space, or {_ELSEWHERE}",
    errno.EDQUOT: f"free some space, or {_ELSEWHERE}",
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EEXIST: _ELSEWHERE,
}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Tell what the system refuses in one line that names ``path``.

    Raises:
        UsageError: in place of any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        raise UsageError(f"{path}: {reason_of(error)}", hint) from None


def temporary_beside(path: Path) -> Path:
    """Where a file or a folder is made whole before it takes its place."""
    return path.with_name(f".{path.name}{_TEMPORARY}{os.getpid()}")


def strangers(folder: Path) -> set[str]:
    """Names of what is in a folder, without what a killed command may have left.

    Raises:
        UsageError: it can't be read.
    """
    with plain_errors(folder):
        names = {file.name for file in folder.iterdir()}
    return {name for name in names if name != LOCK and _TEMPORARY not in name}


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole: at any moment the old or the new one is there.

    Args:
        path: its folder must exist.
        data: everything the file shall hold.

    Raises:
        UsageError: the system refuses; the old file is as it was.
    """
    temporary = temporary_beside(path)
    with plain_errors(path):
        try:
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:  # also an interrupt: no litter
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole as :func:`write_bytes` does."""
    # File names that are no UTF-8 reach us as lone surrogates; a backslash escape is
    # what JSON reads back as the same character.
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object with its schema, keys sorted, the same bytes for the same data.

    Args:
        path: its folder must exist.
        data: its ``schema``, if it has one, is that of its own format.

    Raises:
        ValueError: a number in it is NaN or infinite, which JSON can't say.
        UsageError: the system refuses.
    """
    write_text(path, json_text({"schema": SCHEMA, **data}) + "\n")


def json_text(data: Mapping[str, Any]) -> str:
    """An object as people can read it, the same text for the same data.

    Raises:
        ValueError: a number in it is NaN or infinite, which JSON can't say.
    """
    return json.dumps(
        data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )


def holds(file: Path, content: bytes) -> bool:
    """Whether a file is there and holds just these bytes.

    Raises:
        UsageError: it can't be read.
    """
    with plain_errors(file):
        return file.is_file() and file.read_bytes() == content


def read_json(path: Path, schema: int | None = SCHEMA) -> dict[str, Any]:
    """Read an object that :func:`write_json` wrote.

    Args:
        path: the file.
        schema: version of its format; None = what reads the object knows it.

    Raises:
        UsageError: the file can't be read, is no JSON object, or has another schema.
    """
    with plain_errors(path):
        content = path.read_bytes()
    data = _parsed(content)
    if data is None:
        raise UsageError(f"{path}: not a JSON object", REPAIR)
    found = data.get("schema")
    if schema is not None and found != schema:
        raise UsageError(f"{path}: schema is {found!r:.20}, not {schema}")
    return data


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one JSON object to a log, in place of a line that was torn.

    Raises:
        ValueError: a number in it is NaN or infinite.
        UsageError: the system refuses.
    """
    line = _line(record).encode("utf-8", errors="backslashreplace")
    with plain_errors(path), path.open("a+b") as stream:
        stream.seek(0)
        stream.truncate(_whole(stream.read()))
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a log, without a last line that was torn; [] if there is no log.

    Raises:
        UsageError: the file can't be read, or another line than the last is damaged.
    """
    with plain_errors(path):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
    lines = content[: _whole(content)].splitlines()
    rows = [_parsed(line) for line in lines]
    if rows and rows[-1] is None:  # a disk that lost power may keep length, not bytes
        rows.pop()
    whole = [row for row in rows if row is not None]
    if len(whole) < len(rows):
        number = rows.index(None) + 1
        raise UsageError(f"{path}: line {number} is not a JSON object")
    return whole


def cut_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Cut a log back to the objects that ``keep`` is true of, such as to a checkpoint.

    Raises:
        UsageError: the log can't be read or written.
    """
    if not path.exists():
        return
    write_text(path, "".join(_line(row) for row in read_lines(path) if keep(row)))


def sweep(folder: Path) -> None:
    """Delete what writers left that were killed while they wrote.

    Raises:
        UsageError: the system refuses.
    """
    with plain_errors(folder):
        for litter in folder.glob(f".*{_TEMPORARY}*"):
            if litter.is_dir():
                shutil.rmtree(litter)
            else:
                litter.unlink()


@contextmanager
def lock_folder(folder: Path, hint: str, wait_s: float = 0.0) -> Iterator[int]:
    """Keep other commands from writing in a folder; they are told so.

    It is held by whoever opened it, and by child processes that inherit it: a second
    lock in the same process is refused as well. The system gives it back when the last
    of them ends, however it ends.

    Args:
        folder: it must exist.
        hint: what to do if it is taken.
        wait_s: seconds to wait for another holder to go.

    Yields:
        The file descriptor that holds it.

    Raises:
        UsageError: another command holds it, or the system refuses.
    """
    with plain_errors(folder):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        until = time.monotonic() + wait_s
        while not _taken(descriptor, folder):
            if time.monotonic() >= until:
                raise UsageError(f"{folder}: in use by another zonas-edge", hint)
            time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int, folder: Path) -> bool:
    """Take a lock, or tell that another holds it."""
    with plain_errors(folder):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _line(record: Mapping[str, Any]) -> str:
    """A log's line of an object; ValueError if a number in it is NaN or infinite."""
    return (
        json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    )


def _whole(content: bytes) -> int:
    """Length of a log's complete lines."""
    return content.rfind(b"\n") + 1


def _parsed(content: bytes) -> dict[str, Any] | None:
    """The JSON object in some bytes, or None if they hold no such thing."""
    try:
        data = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):  # ValueError is also bytes that are no UTF-8
        return None
    return data if isinstance(data, dict) else None


def _refuse(constant: str) -> None:
    """Take NaN and Infinity for what they are in JSON: mistakes."""
    raise ValueError(constant)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, on file systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
