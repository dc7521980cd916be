"""Which cell a worker is given next."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.compare.test_plan import a_plan
from zonas_edge.compare.cell import Task
from zonas_edge.compare.waiting import Waiting

(CELL, *_) = a_plan()


def tasks(*alike: tuple[str, ...]) -> list[Task]:
    """Tasks named by their number; of each, who has the same search."""
    return [
        Task(Path(), replace(CELL, name=str(number)), "c", False, names)
        for number, names in enumerate(alike)
    ]


def test_a_cell_lets_others_first_while_its_search_is_made() -> None:
    waiting = Waiting(tasks(("1",), ("0",), ()))
    first, second = waiting.take(), waiting.take()
    assert first is not None
    assert second is not None
    assert (first.cell.name, second.cell.name) == ("0", "2")
    waiting.done(first)
    third = waiting.take()
    assert third is not None
    assert third.cell.name == "1"
    assert waiting.take() is None


def test_with_nothing_else_to_do_a_search_is_made_twice() -> None:
    waiting = Waiting(tasks(("1",), ("0",)))
    names = [task.cell.name for task in (waiting.take(), waiting.take()) if task]
    assert names == ["0", "1"]


@given(st.data())
def test_every_task_is_given_out_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 8))
    groups = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    waiting = Waiting(
        tasks(
            *(
                tuple(
                    str(other)
                    for other, group in enumerate(groups)
                    if group == own and other != number
                )
                for number, own in enumerate(groups)
            )
        )
    )
    given_out: list[Task] = []
    working: list[Task] = []
    while (task := waiting.take()) is not None:
        given_out.append(task)
        working.append(task)
        if data.draw(st.booleans()):
            waiting.done(working.pop(data.draw(st.integers(0, len(working) - 1))))
    assert sorted(task.cell.name for task in given_out) == [
        str(number) for number in range(count)
    ]
