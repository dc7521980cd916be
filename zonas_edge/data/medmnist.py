"""Files of MedMNIST sets: where they lie, how they get there, whether they are right.

Source: addresses and MD5 of the package ``medmnist``, see `catalogue`.
"""

import hashlib
import os
import shlex
import sys
from pathlib import Path

import pooch

from zonas_edge.data.catalogue import RemoteFile
from zonas_edge.errors import DatasetError

FOLDER_VARIABLE = "ZONAS_EDGE_DATA"

_CHUNK = 1 << 16
"""Bytes at a time; pooch's own 1,024 make a download slow."""


def locate(data_dir: Path | None) -> Path:
    """Folder of the MedMNIST files: ``data_dir``, the variable, or ``~/.medmnist``.

    Raises:
        DatasetError: a folder that was named doesn't exist.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if data_dir is not None:
        return _existing(data_dir, f"--data-dir {data_dir}")
    if named:
        return _existing(Path(named), f"{FOLDER_VARIABLE}={named}")
    try:
        return Path("~/.medmnist").expanduser()
    except RuntimeError as error:
        raise DatasetError(
            "~/.medmnist: this user has no home folder", "name a folder: --data-dir"
        ) from error


def check_md5(file: Path, remote: RemoteFile, name: str, again: str) -> None:
    """Hold a file of a known name to its published checksum.

    Args:
        file: to be checked.
        remote: what it should be.
        name: of the set.
        again: the command that fetches it.

    Raises:
        DatasetError: it can't be read, or is another file; it stays where it is.
    """
    try:
        with file.open("rb") as stream:
            # Not for security: MD5 is what MedMNIST publishes.
            found = hashlib.file_digest(
                stream, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
    except OSError as error:
        raise DatasetError(f"{file}: can't be read: {_reason(error)}") from error
    if found != remote.md5:
        raise DatasetError(
            f"{file}: MD5 is {found}, {name} has {remote.md5}",
            f"delete the file, then: {again}",
        )


def download(remote: RemoteFile, file: Path, name: str, *, progress: bool) -> None:
    """Fetch a file; it appears under its name only when whole and correct.

    Args:
        remote: what to fetch.
        file: where to put it; its folder is made if need be.
        name: the name of the set, for errors.
        progress: show a bar on stderr, if that is a terminal.

    Raises:
        DatasetError: no network, another file than expected, or no place to put it.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{file.parent}: can't be made: {_reason(error)}") from error
    pooch.get_logger().setLevel("WARNING")  # it would write to stderr by itself
    try:
        pooch.retrieve(
            remote.url,
            known_hash=f"md5:{remote.md5}",
            fname=file.name,
            path=file.parent,
            downloader=pooch.HTTPDownloader(
                progressbar=progress and sys.stderr.isatty(), chunk_size=_CHUNK
            ),
        )
    except ValueError as error:
        raise DatasetError(
            f"{name}: {remote.url} doesn't give the file with MD5 {remote.md5}",
            f"try again later, or put {file.name} in {file.parent}",
        ) from error
    except OSError as error:  # what requests raises is an OSError too
        raise DatasetError(
            f"{name}: can't be fetched from {remote.url}: {_reason(error)}",
            f"check the network, or put {file.name} in {file.parent}",
        ) from error


def _existing(folder: Path, label: str) -> Path:
    hint = f"make it first: mkdir -p {shlex.quote(str(folder))}"
    try:
        found = folder.expanduser().absolute()
        if found.is_dir():
            return found
    except RuntimeError as error:
        raise DatasetError(f"{label}: no such user", hint) from error
    except OSError as error:
        raise DatasetError(f"{label}: {_reason(error)}", hint) from error
    raise DatasetError(f"{label}: no such folder", hint)


def _reason(error: OSError) -> str:
    """One phrase for what the system, or requests, says at length."""
    response = getattr(error, "response", None)
    if response is not None:
        response.close()  # pooch leaves its socket open
        return f"the server answers {response.status_code}"
    if error.strerror:
        return error.strerror.lower()
    kind = type(error).__name__
    if "Timeout" in kind:
        return "the server doesn't answer in time"
    return "the connection broke off" if "Chunked" in kind else "no connection"
