"""A child process that measures: what it is fed, what it tells, how it ends.

Whatever happens here, Ctrl-C above all, no child outlives the call. A child that is fed
keeps its stdin open until its end, so that what runs behind it, on another machine,
sees by the end of that stream that nobody waits for it any longer.
"""

import os
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO

GRACE_S = 5.0
"""Seconds a child that was fed has to tidy up on the other machine."""

BLOCK = 2**16

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Args:
        code: exit code; below 0 the signal that ended it.
        stdout: all of it.
        lines: the last lines of its stderr.
        timed_out: whether it was ended because its time was over.
    """

    code: int
    stdout: str
    lines: tuple[str, ...]
    timed_out: bool = False


def run_child(
    command: Sequence[str],
    *,
    progress: Progress | None = None,
    payload: BinaryIO | None = None,
    limit_s: float | None = None,
) -> Ended:
    """Run a command to its end.

    Args:
        command: its words; no shell reads them.
        progress: is called with each line of its stderr.
        payload: what it reads from its stdin, or None for nothing.
        limit_s: seconds after which it is killed, or None.

    Raises:
        OSError: there is no such program.
    """
    over = threading.Event()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stdout,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if payload is None else subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            # A terminal's Ctrl-C shall reach us alone: ssh must live to tidy up.
            start_new_session=payload is not None,
        ) as child,
    ):
        timer = threading.Timer(limit_s or 0, _give_up, (child, over))
        if limit_s is not None:
            timer.start()
        try:
            if payload is not None:
                _feed(child.stdin, payload)
            lines = _listen(child.stderr, progress or (lambda _: None))
            child.wait()
        except BaseException:
            _end(child)
            raise
        finally:
            timer.cancel()
        stdout.seek(0)
        return Ended(child.returncode, stdout.read(), lines, over.is_set())


def _give_up(child: subprocess.Popen[bytes], over: threading.Event) -> None:
    over.set()
    _kill(child)


def _feed(stdin: IO[bytes] | None, payload: BinaryIO) -> None:
    """Send the payload; a child that has ended already says why on its stderr."""
    if stdin is None:
        return
    with suppress(BrokenPipeError):
        while block := payload.read(BLOCK):
            rest = memoryview(block)
            while rest:  # no buffer of ours, which closing would have to empty
                rest = rest[os.write(stdin.fileno(), rest) :]


def _listen(stderr: Iterable[bytes] | None, progress: Progress) -> tuple[str, ...]:
    """Pass on every line until the child closes its stderr; the last ones of them."""
    tail: deque[str] = deque(maxlen=50)
    for line in stderr or ():
        tail.append(line.decode("utf-8", "replace").rstrip("\r\n"))
        progress(tail[-1])
    return tuple(tail)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child; one that was fed by the end of its stdin, if it is quick."""
    if child.stdin is not None:
        child.stdin.close()
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(GRACE_S)
    _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child, and what it started itself if it leads a session."""
    if child.stdin is None:
        child.kill()
    elif child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
