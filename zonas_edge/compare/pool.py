"""Several workers side by side, each a process of its own.

A worker that dies, of whatever, costs the cell it was at; another takes its place. What
a seeded cell comes to does not depend on how many there are, since each computes with
its own fixed number of threads.
"""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import zonas_edge
from zonas_edge.compare.cell import Task
from zonas_edge.compare.waiting import Waiting
from zonas_edge.errors import reason_of

_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_FEWER = "fewer --workers"
_GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Failure:
    """Why a cell has no network.

    Args:
        message: one line.
        hint: what can be done, or None.
        exit_code: of the error.
    """

    message: str
    hint: str | None = None
    exit_code: int = 1


@dataclass(frozen=True)
class Event:
    """What a worker tells of a cell.

    Args:
        cell: name of the cell.
        kind: ``state``, ``warning``, ``done`` or ``failed``.
        text: in words.
        failure: with ``failed``.
    """

    cell: str
    kind: str
    text: str = ""
    failure: Failure | None = None


@dataclass(frozen=True)
class Crew:
    """How the work is spread.

    Args:
        workers: processes, >= 1.
        threads: of torch in each.
        device: ``cpu`` or ``cuda``.
        gpus: names of GPUs, handed out in turn; () on the CPU.
        logs: folder of what the workers print.
        kept: file descriptors that they inherit, and hold as long as they live.
    """

    workers: int
    threads: int
    device: str
    gpus: tuple[str, ...]
    logs: Path
    kept: tuple[int, ...] = ()


def make_all(tasks: Sequence[Task], crew: Crew, tell: Callable[[Event], None]) -> None:
    """Make every cell; returns, or raises, when no worker is left.

    Args:
        tasks: in order of beginning.
        crew: who makes them.
        tell: hears every event, in the caller's thread.
    """
    waiting = Waiting(tasks)
    events = SimpleQueue[Event | None]()
    workers = [
        _Worker(number, crew, waiting, events)
        for number in range(min(crew.workers, len(tasks)))
    ]
    try:
        for worker in workers:
            worker.start()
        working = len(workers)
        while working:
            event = events.get()
            if event is None:
                working -= 1
            else:
                tell(event)
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


class _Worker(threading.Thread):
    """A thread that feeds one process after another, until nothing is waiting."""

    def __init__(
        self,
        number: int,
        crew: Crew,
        waiting: Waiting,
        events: "SimpleQueue[Event | None]",
    ) -> None:
        super().__init__(daemon=True)
        self._number, self._crew = number, crew
        self._waiting, self._events = waiting, events
        self._child: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._log = crew.logs / f"worker-{number}.log"
        self._said = 0  # bytes of the log before the process began

    def run(self) -> None:
        """Take tasks until there is none."""
        try:
            while not self._stopped.is_set():
                task = self._waiting.take()
                if task is None:
                    break
                made = self._made(task)
                self._waiting.done(task)
                self._events.put(made)
        finally:
            self.stop()
            self._events.put(None)

    def stop(self) -> None:
        """End the process, wherever it is."""
        self._stopped.set()
        self._end()

    def _end(self) -> int:
        child = self._child
        if child is None:
            return 0
        with suppress(ProcessLookupError):
            child.kill()
        return child.wait()

    def _made(self, task: Task) -> Event:
        """Have a cell made; its last event."""
        name = task.cell.name
        try:
            child = self._alive()
        except OSError as error:
            reason = f"no worker: {reason_of(error)}"
            return Event(name, "failed", failure=Failure(reason, _FEWER))
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a worker without pipes")
        with suppress(BrokenPipeError):  # it has died, and told its log why
            child.stdin.write(json.dumps(task.to_dict()) + "\n")
            child.stdin.flush()
        for line in child.stdout:
            event = _event(name, json.loads(line))
            if event.kind in {"done", "failed"}:
                return event
            self._events.put(event)
        code = self._end()
        reason = _last_line(self._log, self._said) or f"exit code {code}"
        return Event(
            name,
            "failed",
            failure=Failure(f"its worker died: {reason}", f"see {self._log}"),
        )

    def _alive(self) -> subprocess.Popen[str]:
        """The process, or a new one in place of one that died."""
        if self._child is not None and self._child.poll() is None:
            return self._child
        crew = self._crew
        with self._log.open("ab") as log:
            self._said = log.tell()
            self._child = subprocess.Popen(
                [
                    # -P: files of the user's folder are not our modules
                    *(sys.executable, "-P", "-m", "zonas_edge.compare.worker"),
                    *(crew.device, str(crew.threads)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=environment_of(crew, self._number, os.environ),
                pass_fds=crew.kept,
                start_new_session=True,  # a terminal's Ctrl-C shall reach us alone
            )
        if self._stopped.is_set():  # while it was started
            self._end()
        return self._child


def environment_of(crew: Crew, number: int, ours: Mapping[str, str]) -> dict[str, str]:
    """The variables of a worker: its threads, its GPU, and where our code lies.

    Args:
        crew: how the work is spread.
        number: of the worker, from 0.
        ours: variables of this process.
    """
    found = {**ours, **dict.fromkeys(_LIBRARIES, str(crew.threads))}
    # the same code as ours, wherever it was found
    path = [str(Path(zonas_edge.__file__).parents[1]), found.get("PYTHONPATH", "")]
    found["PYTHONPATH"] = os.pathsep.join(word for word in path if word)
    if crew.gpus:
        found[_GPUS] = crew.gpus[number % len(crew.gpus)]
    return found


def visible_gpus(count: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs that torch sees, as CUDA takes them.

    Args:
        count: how many torch sees.
        environment: of this process.
    """
    named = [word.strip() for word in environment.get(_GPUS, "").split(",") if word]
    return tuple(named[:count]) or tuple(str(place) for place in range(count))


def _event(cell: str, words: dict[str, Any]) -> Event:
    if words["event"] == "failed":
        failure = Failure(words["message"], words["hint"], words["exit_code"])
        return Event(cell, "failed", failure=failure)
    return Event(cell, words["event"], words.get("text", ""))


def _last_line(log: Path, begin: int) -> str:
    """What a process said last, from a place in its log; of a traceback, the error."""
    with log.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(begin)
        lines = deque((line.strip() for line in stream if line.strip()), maxlen=1)
    return lines[0][:500] if lines else ""
