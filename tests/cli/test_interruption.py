"""Killed at any moment, the same command with --resume comes to the same bytes."""

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench, a_run

pytestmark = pytest.mark.slow

RESUMED = "note: exports/cut: going on with this run\n"


def epochs(file: Path) -> list[dict[str, Any]]:
    """A log without the clock's figures, which differ each time."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        {key: value for key, value in row.items() if key != "seconds"} for row in rows
    ]


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def stop(
    bench: Bench,
    words: list[str],
    file: Path,
    enough: int,
    *,
    wait: float = 0.0,
    number: int = signal.SIGKILL,
) -> tuple[int, str]:
    """Start the program, and send it a signal once a log has grown long enough."""
    child = bench.start(*words)
    until = time.monotonic() + 120
    while lines(file) < enough and child.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(wait)
    child.send_signal(number)
    _, noise = child.communicate(timeout=120)
    return child.returncode, noise


@pytest.mark.usefixtures("ctrl_c")
def test_a_run_stopped_at_random_points_ends_in_the_same_bytes(
    bench: Bench,
) -> None:
    draw = random.Random(0)  # noqa: S311 - places, no secrets
    folder = bench.folder / "exports" / "cut"
    # trials too: two of them, of half of eleven epochs each
    words = [*a_run("cut"), "--trial-epochs", "11"]

    code, noise = stop(
        bench,
        words,
        folder / "history.jsonl",
        1,
        number=signal.SIGINT,
        wait=draw.random() / 20,
    )
    assert code == 130
    assert noise.endswith(
        "interrupted; go on with: zonas-edge run --profile ./small.toml --dataset"
        " ./bands.npz --epochs 3 --retrain-epochs 3 --name cut --threads 1"
        " --trial-epochs 11 --resume\n"
    )
    words = [*words, "--resume"]
    places = [
        (folder / "history.jsonl", 2, 0.05),
        (folder / "history.jsonl", 3, 0.5),  # while networks are compared
        (folder / "trials.jsonl", 1, 0.05),
        (folder / "retrain.jsonl", 2, 0.05),
        (folder / "model.onnx", 1, 0.3),  # while it is measured
    ]
    for file, enough, longest in places:
        wait = draw.random() * longest
        code, noise = stop(bench, words, file, enough, wait=wait)
        assert code == -signal.SIGKILL
        assert RESUMED in noise
    made = bench.run(*words)

    assert made.returncode == 0, made.stderr
    assert "warning" not in made.stderr.replace("warning: the search has", "")
    whole = bench.folder / "exports" / "whole"
    made = bench.run(*a_run("whole"), "--trial-epochs", "11")
    assert made.returncode == 0, made.stderr
    for name in ("architecture.json", "weights.pt"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    for name in ("history.jsonl", "trials.jsonl", "retrain.jsonl"):
        assert epochs(folder / name) == epochs(whole / name), name


@pytest.mark.usefixtures("ctrl_c")
def test_a_half_done_run_is_kept_and_one_on_other_threads_is_warned_of(
    bench: Bench,
) -> None:
    folder = bench.folder / "exports" / "cut"
    stop(bench, a_run("cut"), folder / "history.jsonl", 2)  # behind a checkpoint

    again = bench.run(*a_run("cut"))
    assert (again.returncode, again.stderr) == (
        2,
        (
            "error: exports/cut: this run exists, its search half done\n"
            "hint: choose another --name, or add --resume to go on with it\n"
        ),
    )
    child = bench.start(*a_run("cut")[:-1], "2", "--resume")
    assert child.stderr is not None
    assert child.stderr.readline() == RESUMED
    assert child.stderr.readline() == (
        "warning: threads is 2, the run was begun with 1, so the result may be"
        " another\n"
    )
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert [later["threads"] for later in record["continued_under"]] == [2]
    child.kill()
    child.communicate()
    numbers = [row["epoch"] for row in epochs(folder / "history.jsonl")]
    assert numbers == list(range(1, len(numbers) + 1))
