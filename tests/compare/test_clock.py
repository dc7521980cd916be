"""Networks measured in turns: files that are the same once, what can't be told of."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.compare.rows import a_row
from tests.device.tiny import TINY, build_tiny, tiny_images, write_golden
from zonas_edge.artifact import Run
from zonas_edge.compare.clock import clocked, together
from zonas_edge.compare.folder import Folder
from zonas_edge.compare.plan import Cell
from zonas_edge.compare.pool import Failure
from zonas_edge.compare.results import Made
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.request import Request
from zonas_edge.profile import RuntimeLimits, load_profile

RUNTIME = RuntimeLimits(onnxruntime=">=1.10.0")


def a_run(folder: Path, name: str, model: bytes) -> Run:
    run = Run(folder / name)
    run.path.mkdir(parents=True)
    run.model.write_bytes(model)
    write_golden(run.golden, tiny_images(2))
    return run


def test_files_that_are_the_same_take_the_same(tmp_path: Path) -> None:
    runs = [
        a_run(tmp_path, "one", TINY.read_bytes()),
        a_run(tmp_path, "other", build_tiny(scale=0.5)),
        a_run(tmp_path, "again", TINY.read_bytes()),
    ]
    lines: list[str] = []
    times = together(runs, RUNTIME, lines.append)
    assert times["one"] == times["again"] > 0
    assert times["other"] > 0
    assert lines[-1] == "measuring: visit 32 of 32"  # two files, sixteen rounds


def test_a_model_that_is_gone_is_told(tmp_path: Path) -> None:
    run = a_run(tmp_path, "one", TINY.read_bytes())
    run.model.unlink()
    with pytest.raises(UsageError, match=r"no such file or directory$"):
        together([run], RUNTIME, lambda _: None)


def test_golden_vectors_that_are_none_are_told(tmp_path: Path) -> None:
    run = a_run(tmp_path, "one", TINY.read_bytes())
    run.golden.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(UsageError, match=r"golden.npz: not golden vectors$"):
        together([run], RUNTIME, lambda _: None)


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.warnings: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def made_of(cell: Cell) -> list[Made]:
    row = a_row("zo-darts++", 0)
    twin = replace(row, run="twin", seed=1)
    lost = Failure("no network")
    return [Made(cell, row, None), Made(cell, twin, None), Made(cell, None, lost)]


def test_every_row_has_a_latency_or_a_warning_says_why_not(
    tmp_path: Path, a_cell: Cell
) -> None:
    folder, told = Folder(tmp_path), Told()
    made = made_of(a_cell)
    for one in made[:2]:
        assert one.row is not None
        a_run(folder.runs, one.row.run, TINY.read_bytes())

    first, second, third = clocked(made, folder, told)

    assert first.row is not None
    assert second.row is not None
    assert first.row.latency_undisturbed_ms == second.row.latency_undisturbed_ms
    assert (first.row.latency_undisturbed_ms or 0) > 0
    assert third == made[2]
    assert told.steps[0] == "latency: 2 networks of digits in turns"
    assert told.warnings == []

    (folder.runs / "twin" / "model.onnx").unlink()
    first, *_ = clocked(made, folder, told)
    assert first.row is not None
    assert first.row.latency_undisturbed_ms is None
    assert told.warnings[0].startswith("latency of digits: ")


@pytest.fixture
def a_cell() -> Cell:
    profile = load_profile("raspberry-pi-4")
    request = Request(
        profile=profile,
        dataset="digits",
        seed=0,
        epochs=1,
        retrain_epochs=1,
        trial_epochs=0,
        method="zo-darts++",
        device="cpu",
    )
    return Cell("cell", "digits", request, profile)
