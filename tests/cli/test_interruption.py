"""Killed at any moment, the same command with --resume comes to the same bytes."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Bench, a_run

pytestmark = pytest.mark.slow

SAME = ["architecture.json", "weights.pt", "history.jsonl", "retrain.jsonl"]
RESUMED = "note: exports/cut: going on with this run\n"


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def stop(
    bench: Bench, words: list[str], file: Path, enough: int, wait: float, number: int
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
    bench: Bench, done: Bench
) -> None:
    draw = random.Random(0)
    folder = bench.folder / "exports" / "cut"
    words = a_run("cut")

    code, noise = stop(
        bench, words, folder / "history.jsonl", 1, draw.random() / 20, signal.SIGINT
    )
    assert code == 130
    assert noise.endswith(
        "interrupted; go on with: zonas-edge run --profile ./small.toml --dataset"
        " ./bands.npz --epochs 3 --retrain-epochs 3 --threads 1 --name cut --resume\n"
    )
    words = [*words, "--resume"]
    places = [
        (folder / "history.jsonl", 2, 0.05),
        (folder / "history.jsonl", 3, 0.5),  # while networks are compared
        (folder / "retrain.jsonl", 2, 0.05),
    ]
    for file, enough, longest in places:
        wait = draw.random() * longest
        code, noise = stop(bench, words, file, enough, wait, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert RESUMED in noise
    made = bench.run(*words)

    assert made.returncode == 0, made.stderr
    assert "warning" not in made.stderr.replace("warning: the search has", "")
    whole = done.folder / "exports" / "whole"
    for name in SAME:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.usefixtures("ctrl_c")
def test_an_unfinished_run_starts_over_and_one_on_other_threads_is_warned_of(
    bench: Bench,
) -> None:
    folder = bench.folder / "exports" / "cut"
    stop(bench, a_run("cut"), folder / "history.jsonl", 1, 0.0, signal.SIGKILL)

    _, noise = stop(
        bench, a_run("cut"), folder / "history.jsonl", 2, 0.0, signal.SIGKILL
    )
    assert noise.startswith(
        "note: exports/cut: an unfinished run of that name starts over\nsearch 1/3: "
    )
    words = [word if word != "1" else "2" for word in a_run("cut")]
    _, noise = stop(
        bench, [*words, "--resume"], folder / "history.jsonl", 3, 0.0, signal.SIGKILL
    )
    assert noise.startswith(
        f"{RESUMED}warning: threads is 2, the run was begun with 1, so the result may"
        " differ in its last digits\n"
    )
    epochs = [
        json.loads(line)["epoch"]
        for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert epochs == list(range(1, len(epochs) + 1))
