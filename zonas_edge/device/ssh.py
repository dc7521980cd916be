"""A device that ssh reaches: one connection brings the jobs and takes the answer.

The system's own ssh is used, with the user's configuration and known hosts; it never
asks (BatchMode). The files go as a tar archive through its stdin into a temporary
folder of the device, where ``runner.py`` measures. The archive's size is told
beforehand and the stream stays open behind it: its end, by Ctrl-C or a connection that
dies, is what the device's shell watches for to end the runner and remove the folder.

Source: sshd(8), ssh(1), ssh_config(5) of OpenSSH 9; sh, trap and wait of POSIX.1-2017.
"""

import io
import re
import shlex
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

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
from zonas_edge.device.process import Ended, Progress, run_child
from zonas_edge.errors import TargetError, ZonasError

BEGUN: Final = "zonas-edge: begun"
"""The line by which the device's shell says that the connection stands."""

LOST: Final = 255
"""ssh's own exit code; the device's shell never ends with it."""

NO_FOLDER, NO_ROOM = 70, 71
"""Exit codes of the device's shell: no temporary folder, files that don't unpack."""

CONNECT_S: Final = 15
ALIVE: Final = (15, 4)
"""Seconds between two signs of life, and how many may stay out."""

MIB: Final = 2**20
Y2000: Final = 946_684_800
"""Age of the files, seconds: a board without a clock would warn of the future."""


_CAUSES: Final = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is not the known one",
        "see why it changed; if it may, ssh-keygen -R {known}, and {ssh} once by hand",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        "its host key is not known yet",
        "see and accept the key once by hand: {ssh}",
    ),
    (
        r"Permission denied|Too many authentication failures|No supported authentic",
        "authentication refused",
        "it must let you in without a question: {ssh}",
    ),
    (
        r"Could not resolve hostname",
        "no such host",
        "see the name, or give the address",
    ),
    (
        r"Connection refused",
        "connection refused",
        "see that sshd runs there, and on which port",
    ),
    (
        r"timed out|Timeout, server",
        f"no answer to the connection within {CONNECT_S} s",
        "see that the device is on and the network leads there",
    ),
)
"""What ssh says, what it means, and what can be done."""


@dataclass(frozen=True)
class SshTarget:
    """A device behind ssh.

    Args:
        host: name or address, as ssh understands it.
        user: to log in as, or None for ssh's own choice.
        port: of the server, or None for ssh's own choice.
        python: the words of the interpreter there.
        config: a configuration file for ssh instead of the user's own, or None.
        limit_s: seconds that everything together may take.
    """

    host: str
    user: str | None = None
    port: int | None = None
    python: tuple[str, ...] = ("python3",)
    config: Path | None = None
    limit_s: float = 1800.0

    @property
    def name(self) -> str:
        """The address, as the user wrote it."""
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}" + ("" if self.port is None else f":{self.port}")

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        """Measure every job on the device over one connection, in the order given.

        Args:
            jobs: what to measure; at least one.
            progress: is called with each line of progress.

        Raises:
            UsageError: a file is missing or damaged, or there is no space here.
            AcceptanceError: a probability is not finite.
            IncompatibleError: a model doesn't load or run there.
            TargetError: the device can't be reached, lacks something, or went away.
        """
        check_files(jobs)
        listener = _Listener(progress or (lambda _: None))
        with workspace() as folder, (folder / "jobs.tar").open("w+b") as archive:
            size = pack(jobs, archive)
            listener.tell(f"sending {size / MIB:.1f} MiB to {self.name}")
            try:
                ended = run_child(
                    self.command(size),
                    progress=listener.hear,
                    payload=archive,
                    limit_s=self.limit_s,
                )
            except FileNotFoundError as error:
                raise TargetError(
                    f"{self.name}: this machine has no ssh",
                    hint="install OpenSSH's client, or use --target bundle",
                ) from error
        if (failure := self._failure(ended, size, begun=listener.begun)) is not None:
            raise failure
        return read_ended(ended, jobs, self.name, shlex.join(self.python))

    def command(self, size: int) -> list[str]:
        """The words that start ssh; none of them can be taken for an option of its.

        Args:
            size: of the archive it will be fed, bytes.
        """
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": ALIVE[0],
            "ServerAliveCountMax": ALIVE[1],
            "ClearAllForwardings": "yes",
            "Compression": "yes",  # files for calibrating shrink to a sixtieth
            "ControlMaster": "no",  # a master would outlive us and hold our stderr
            "RemoteCommand": "none",
            "LogLevel": "ERROR",
        }
        words = ["ssh", "-T", "-a", "-x"]
        if self.config is not None:
            words += ["-F", str(self.config)]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        if self.user is not None:
            words += ["-l", self.user]
        if self.port is not None:
            words += ["-p", str(self.port)]
        script = remote_script(self.python, size)
        return [*words, "--", self.host, f"exec sh -c {shlex.quote(script)}"]

    def _failure(self, ended: Ended, size: int, *, begun: bool) -> ZonasError | None:
        """The error of the connection or the device's shell, or None."""
        words = [line for line in ended.lines if line.strip() and line != BEGUN]
        last = words[-1] if words else "no message"
        if ended.timed_out:
            return TargetError(
                f"{self.name}: no answer within {self.limit_s:,.10g} s",
                hint=f"--timeout {2 * self.limit_s:.10g}",
            )
        if ended.code == LOST:
            if begun:
                return TargetError(
                    f"{self.name}: the connection was lost in the middle, {last}",
                    hint="repeat the command",
                )
            return self._unreached(words)
        if ended.code in {NO_FOLDER, NO_ROOM}:
            return TargetError(
                f"{self.name}: no room for {size / MIB:.1f} MiB in its temporary"
                f" folder, {last}",
                hint="free space there, or have sshd set TMPDIR to a folder with some",
            )
        return None

    def _unreached(self, words: Sequence[str]) -> TargetError:
        """The error for an ssh that did not come through, by its own words."""
        login = [self.host if self.user is None else f"{self.user}@{self.host}"]
        config = [] if self.config is None else ["-F", str(self.config)]
        port = [] if self.port is None else ["-p", str(self.port)]
        by_hand = shlex.join(["ssh", *config, *port, *login])
        known = self.host if self.port is None else f"[{self.host}]:{self.port}"
        text = "\n".join(words)
        for pattern, meaning, hint in _CAUSES:
            if re.search(pattern, text):
                return TargetError(
                    f"{self.name}: {meaning}",
                    hint=hint.format(ssh=by_hand, known=shlex.quote(known)),
                )
        last = words[-1] if words else "no message"
        return TargetError(f"{self.name}: can't be reached, {last}", hint=by_hand)


def remote_script(python: Sequence[str], size: int) -> str:
    """What the device's shell does, on one line.

    Args:
        python: the words of the interpreter.
        size: of the archive on stdin, bytes.
    """
    steps = (
        "p=",
        f"d=$(mktemp -d) || exit {NO_FOLDER}",
        # Whatever ends the shell, the runner ends and the folder goes; a word to a
        # connection that is gone must not end it before that.
        """trap 'trap "" 1 2 13 15; exec >/dev/null 2>&1; kill $p; rm -rf "$d"' 0""",
        "trap 'exit 129' 1; trap 'exit 130' 2; trap 'exit 141' 13; trap 'exit 143' 15",
        f"echo {shlex.quote(BEGUN)} >&2",
        # tar alone would read to the stream's end, which is to come much later.
        f'cd "$d" && head -c {size} | tar -xf - || exit {NO_ROOM}',
        "exec 3<&0",
        f"{shlex.join(python)} {RUNNER.name} --jobs {MANIFEST} </dev/null 3<&- & p=$!",
        '{ cat <&3; kill "$p"; } >/dev/null 2>&1 & w=$!',
        'wait "$p"; c=$?; p=',
        'kill "$w" 2>/dev/null',
        f"[ $c -ne {LOST} ] || c=254",
        "exit $c",
    )
    return "; ".join(steps)


def pack(jobs: Sequence[Job], archive: BinaryIO) -> int:
    """Write runner, manifest and files as a tar archive; its size in bytes.

    Args:
        jobs: what is measured.
        archive: is left at its beginning.
    """
    names = travelling_names(jobs)
    files = {RUNNER.name: RUNNER.read_bytes()}
    files[MANIFEST] = manifest_bytes(manifest(jobs, names))
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            tar.addfile(_entry(name, len(data)), io.BytesIO(data))
        for path, name in names.items():
            with path.open("rb") as file:
                tar.addfile(_entry(name, path.stat().st_size), file)
    size = archive.tell()
    archive.seek(0)
    return size


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, Y2000, 0o600
    return entry


@dataclass
class _Listener:
    """Tells what the device says, without what ssh says before it is there."""

    tell: Progress
    begun: bool = False

    def hear(self, line: str) -> None:
        if self.begun:
            self.tell(line)
        self.begun = self.begun or line == BEGUN
