"""A real sshd on loopback, with keys of its own and faults to choose from.

The hosts of the client's configuration: ``board`` lets us in; ``stranger`` has a key
that nobody knows, ``impostor`` another than the known one; ``locked`` doesn't take our
key; ``gone`` has no server; ``behind`` is ``board`` behind a port that a test chooses.
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from zonas_edge.device.ssh import SshTarget

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or ""


@dataclass(frozen=True)
class Server:
    """A running sshd.

    Args:
        config: of the client.
        remote: the temporary folder of the sessions.
        log: of the server.
        port: of the server.
    """

    config: Path
    remote: Path
    log: Path
    port: int

    def target(self, host: str = "board", **options: object) -> SshTarget:
        return SshTarget(host, config=self.config, **options)  # type: ignore[arg-type]

    def left(self) -> list[str]:
        """What is left in the temporary folder, once the sessions have had a moment."""
        until = time.monotonic() + 10
        while (found := self.now()) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def now(self) -> list[str]:
        """What is in the temporary folder at this moment."""
        return [file.name for file in self.remote.iterdir()]

    def logins(self) -> int:
        return self.log.read_text(encoding="utf-8").count("Accepted publickey")

    def through(self, port: int) -> None:
        """Let ``behind`` lead through another port."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(f"Host behind\n  Port {port}\n  HostKeyAlias board\n")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


@contextmanager
def a_server(folder: Path) -> Iterator[Server]:
    """Start a server for the tests of one machine; skip where there is none."""
    if not SSHD or not shutil.which("ssh"):
        pytest.skip("no OpenSSH server here; .ci/prepare installs it")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd shuts itself in
    for name in ("host", "other-host", "key", "other-key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name]
        subprocess.run([*words, "-f", str(folder / name)], check=True)
    (folder / "remote").mkdir()
    server = Server(folder / "ssh", folder / "remote", folder / "log", free_port())
    _configure(folder, server)
    words = [SSHD, "-D", "-f", str(folder / "sshd"), "-E", str(server.log)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        try:
            _wait(server.port)
            yield server
        finally:
            process.terminate()


def _configure(folder: Path, server: Server) -> None:
    shutil.copy(folder / "key.pub", folder / "authorized")
    (folder / "sshd").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/authorized\nPidFile none\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        f"PermitRootLogin yes\nSetEnv TMPDIR={server.remote}\nLogLevel VERBOSE\n",
        encoding="utf-8",
    )
    keys = {
        name: (folder / f"{name}.pub").read_text() for name in ("host", "other-host")
    }
    (folder / "known").write_text(f"board {keys['host']}", encoding="utf-8")
    (folder / "known-other").write_text(f"board {keys['other-host']}", encoding="utf-8")
    hosts = {
        "stranger": f"UserKnownHostsFile {folder}/known-none",
        "impostor": f"UserKnownHostsFile {folder}/known-other",
        "locked": f"IdentityFile {folder}/other-key",
        "gone": f"Port {free_port()}",
        "board stranger impostor locked": f"Port {server.port}",
        "* !locked": f"IdentityFile {folder}/key",
    }
    lines = [f"Host {host}\n  {what}\n" for host, what in hosts.items()]
    everywhere = (
        "Host *\n  HostName 127.0.0.1\n  HostKeyAlias board\n  IdentitiesOnly yes\n"
        f"  User {getpass.getuser()}\n"
        f"  UserKnownHostsFile {folder}/known\n  GlobalKnownHostsFile /dev/null\n"
    )
    server.config.write_text("".join(lines) + everywhere, encoding="utf-8")


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("sshd doesn't start")
