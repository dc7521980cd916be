"""Cells that wait for a worker, and which of them is next."""

import threading
from collections.abc import Sequence

from zonas_edge.compare.cell import Task


class Waiting:
    """Tasks in order of beginning, but not two of one search at a time.

    A cell whose search is made at this moment by another worker lets others go first,
    so that it can borrow that search; if there are no others, it begins all the same.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = list(tasks)
        self._working: set[str] = set()
        self._lock = threading.Lock()

    def take(self) -> Task | None:
        """The next task, which counts as in work from now on; None if none is left."""
        with self._lock:
            if not self._tasks:
                return None
            place = next(
                (
                    place
                    for place, task in enumerate(self._tasks)
                    if self._working.isdisjoint(task.alike)
                ),
                0,
            )
            task = self._tasks.pop(place)
            self._working.add(task.cell.name)
            return task

    def done(self, task: Task) -> None:
        """No worker is at a task any more, whatever has become of it."""
        with self._lock:
            self._working.discard(task.cell.name)
