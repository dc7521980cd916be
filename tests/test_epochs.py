"""An epoch's line: written whole, and not at all where a training has diverged."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from zonas_edge.artifact import read_lines
from zonas_edge.errors import ZonasError
from zonas_edge.pipeline.epochs import logged


@dataclass(frozen=True)
class Told:
    epoch: int
    val_loss: float | None


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training(
    tmp_path: Path, loss: float
) -> None:
    log = tmp_path / "retrain.jsonl"
    logged(log, lambda: Told(1, 0.5))
    logged(log, lambda: Told(2, None))
    with pytest.raises(ZonasError) as caught:
        logged(log, lambda: Told(3, loss))
    assert str(caught.value) == f"{log}: val_loss is {loss}, the training has diverged"
    assert [line["epoch"] for line in read_lines(log)] == [1, 2]
