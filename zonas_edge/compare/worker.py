"""A worker: a process that makes one cell after another.

It is told its cells by lines of JSON on stdin and answers by lines of JSON on stdout,
so that nothing but text passes between processes. When the other side is gone, in
whatever way, stdin ends, and so does the worker, in the middle of its work: a run can
be gone on with from any point.

Started as ``python -m zonas_edge.compare.worker DEVICE THREADS``.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from zonas_edge.compare.cell import Task, Teller, make
from zonas_edge.compare.shelf import Shelf
from zonas_edge.errors import ZonasError
from zonas_edge.pipeline.host import prepare

Answer = Callable[[dict[str, Any]], None]


def work(task: Task, shelf: Shelf, answer: Answer) -> None:
    """Make one cell, and answer what became of it."""
    teller = Teller(
        tell=lambda text: answer({"event": "state", "text": text}),
        warn=lambda text: answer({"event": "warning", "text": text}),
    )
    try:
        make(task, shelf.dataset(task.cell.request), teller)
    except ZonasError as error:
        answer(
            {
                "event": "failed",
                "message": str(error),
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
        )
    else:
        answer({"event": "done"})


def main() -> None:
    """Make what stdin asks for, until it ends."""
    device, threads = sys.argv[1:]
    prepare(device, int(threads))
    # What a library prints must not stand among the answers.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(words: dict[str, Any]) -> None:
        channel.write(json.dumps(words) + "\n")
        channel.flush()

    tasks: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=[tasks], daemon=True).start()
    shelf = Shelf()
    while True:
        work(Task.from_dict(json.loads(tasks.get())), shelf, answer)


def _listen(tasks: SimpleQueue[str]) -> None:
    """Pass on the cells; leave the process when nobody wants them any more."""
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
