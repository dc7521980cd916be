"""Where something is measured, as the user names it.

``local`` is this machine and ``ssh://[user@]host[:port]`` a device that ssh reaches. An
address is read narrowly: a name that begins with a dash would be an option to ssh. The
third word, ``bundle``, is no target: a person carries the jobs, and brings the answer.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from zonas_edge.device.job import Job
from zonas_edge.device.local import LOCAL, LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.process import Progress
from zonas_edge.device.ssh import SshTarget
from zonas_edge.errors import UsageError

BUNDLE: Final = "bundle"
LARGEST_PORT: Final = 65_535

_FORMS: Final = "local, ssh://[user@]host[:port] or bundle"
_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS: Final = re.compile(
    rf"ssh://(?:(?P<user>{_NAME})@)?"
    rf"(?:(?P<host>{_NAME})|\[(?P<ip6>[0-9A-Fa-f:.]+(?:%{_NAME})?)\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


class Target(Protocol):
    """Something that measures models and answers at once."""

    @property
    def name(self) -> str:
        """What the user calls it, such as ``local`` or ``ssh://pi@board``."""

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        """Measure every job on one machine over one connection, in the order given.

        Args:
            jobs: what to measure; at least one.
            progress: is called with each line of progress.

        Raises:
            UsageError: a file is missing or damaged, or there is no space here.
            AcceptanceError: a probability is not finite.
            IncompatibleError: a model doesn't load or run there.
            TargetError: the machine can't be reached, or doesn't answer.
        """


@dataclass(frozen=True)
class Connection:
    """How a target is used, as far as its address doesn't say.

    Args:
        python: the words of the interpreter there, or None for the usual one.
        ssh_config: a configuration file for ssh instead of the user's own, or None.
        limit_s: seconds that a measurement over ssh may take, all in all.
    """

    python: str | None = None
    ssh_config: Path | None = None
    limit_s: float = SshTarget.limit_s


def parse_target(text: str, connection: Connection | None = None) -> Target:
    """The target that a user names.

    Args:
        text: ``local`` or ``ssh://[user@]host[:port]``.
        connection: how it is used; None = as usual.

    Raises:
        UsageError: it, or an option of its use, can't be read.
    """
    how = connection or Connection()
    python = None if how.python is None else _words(how.python)
    if text == LOCAL:
        return LocalTarget() if python is None else LocalTarget(python)
    return _ssh(text, python or SshTarget.python, how)


def _ssh(text: str, python: tuple[str, ...], how: Connection) -> SshTarget:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise UsageError(f"--target {text}: not an address", hint=f"--target {_FORMS}")
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= LARGEST_PORT:
        raise UsageError(
            f"--target {text}: port is {port}, not from 1 to {LARGEST_PORT:,}",
            hint=f"--target {_FORMS}",
        )
    if how.ssh_config is not None and not how.ssh_config.is_file():
        raise UsageError(f"--ssh-config {how.ssh_config}: no such file")
    return SshTarget(
        host=found["host"] or found["ip6"],
        user=found["user"],
        port=port,
        python=python,
        config=how.ssh_config,
        limit_s=how.limit_s,
    )


def _words(python: str) -> tuple[str, ...]:
    """The words of ``--python``, as a shell would split them.

    Raises:
        UsageError: a quotation is open, a character can't be printed, or no word.
    """
    try:
        words = tuple(shlex.split(python))
    except ValueError as error:
        words, reason = (), str(error).lower()
    else:
        reason = "empty" if not words else "holds a character that can't be printed"
    if not words or not python.isprintable():
        raise UsageError(f"--python {python!r}: {reason}", hint="--python python3.11")
    return words
