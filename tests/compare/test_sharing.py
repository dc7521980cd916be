"""Cells that differ by their budget alone share a search that no budget acts on."""

from pathlib import Path

from tests.compare.test_plan import a_plan
from zonas_edge.artifact import Run, create_run
from zonas_edge.compare.plan import Cell, profiles_of
from zonas_edge.compare.sharing import alike, borrow_search

METHODS = ("zo-darts++", "random", "random-single", "darts", "resnet18")


def lenders(cells: tuple[Cell, ...]) -> dict[str, tuple[str, ...]]:
    return {cell.name: found for cell in cells if (found := alike(cell, cells))}


def test_only_methods_without_a_penalty_share_and_only_across_budgets() -> None:
    names = {
        method: [f"digits-x86-64-{budget}-{method}-seed{{}}" for budget in (1000, 2000)]
        for method in ("random", "darts")
    }
    expected = {
        one.format(seed): (other.format(seed),)
        for pair in names.values()
        for one, other in (pair, pair[::-1])
        for seed in range(2)
    }
    assert lenders(a_plan(methods=METHODS)) == expected


def test_another_device_is_another_search() -> None:
    assert lenders(a_plan(methods=METHODS, profiles=profiles_of(["x86-64"], []))) == {}
    both = profiles_of(["x86-64", "raspberry-pi-4"], [1000])
    assert lenders(a_plan(methods=METHODS, profiles=both)) == {}


def a_run(folder: Path, name: str, *, finished: bool = False) -> Run:
    run = create_run(folder, name)
    if finished:
        run.history.write_text(f"{name}\n", encoding="utf-8")
        run.search_checkpoint.write_bytes(name.encode())
        run.mark("search", "finished")
    return run


def test_a_search_is_borrowed_from_the_first_that_is_finished(tmp_path: Path) -> None:
    run, missing = a_run(tmp_path, "run"), Run(tmp_path / "missing")
    begun, one = a_run(tmp_path, "begun"), a_run(tmp_path, "one", finished=True)
    begun.search_checkpoint.write_bytes(b"not finished")
    borrow_search(run, [missing, begun, one, a_run(tmp_path, "two", finished=True)])
    assert run.search_checkpoint.read_bytes() == b"one"
    assert run.history.read_text(encoding="utf-8") == "one\n"
    assert run.read()["search_of"] == "one"
    assert not run.finished("search")  # its draws are still to be chosen


def test_a_search_of_its_own_that_has_begun_goes_on(tmp_path: Path) -> None:
    run = a_run(tmp_path, "run")
    run.search_checkpoint.write_bytes(b"mine")
    borrow_search(run, [a_run(tmp_path, "one", finished=True)])
    assert run.search_checkpoint.read_bytes() == b"mine"
    assert "search_of" not in run.read()


def test_what_can_t_be_read_is_no_lender(tmp_path: Path) -> None:
    run, damaged = a_run(tmp_path, "run"), a_run(tmp_path, "one", finished=True)
    damaged.record.write_text("{", encoding="utf-8")
    without = a_run(tmp_path, "two", finished=True)
    without.search_checkpoint.unlink()
    borrow_search(run, [damaged, without])
    assert not run.search_checkpoint.exists()
    assert not run.history.exists()
