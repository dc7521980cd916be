"""The candidates of a search compete in short trainings, and a log tells of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench, furnish

TINY = ["--epochs", "1", "--retrain-epochs", "1", "--threads", "1", "--quiet"]


def a_search(name: str, *more: str) -> list[str]:
    words = ["search", "--profile", "./small.toml", "--dataset", "./bands.npz"]
    return [*words, *TINY, "--no-retrain", "--name", name, *more]


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with a search with six trials, of 30 steps an epoch together."""
    found = furnish(tmp_path_factory.mktemp("trials"))
    made = found.run(*a_search("original", "--trial-epochs", "43"))
    assert made.returncode == 0, made.stderr
    told = "trials      4 networks in 6 short trainings; the winner (number "
    assert told in made.stdout
    return found


@pytest.fixture
def tried(bench: Bench, tmp_path: Path) -> Path:
    """A copy of its run."""
    exports = bench.folder / "exports"
    return shutil.copytree(exports / "original", exports / tmp_path.name)


def reopened(folder: Path) -> None:
    """Make a search forget that it is finished."""
    record = read(folder / "run.json")
    record["stages"] = {"search": "started"}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


def test_the_winner_of_the_trials_is_the_network(tried: Path) -> None:
    log, kept = rows(tried / "trials.jsonl"), read(tried / "candidates.json")
    assert [(row["number"], row["round"], row["steps"]) for row in log] == [
        *((number, 1, 161) for number in range(1, 5)),
        *((number, 2, 322) for number in range(5, 7)),
    ]
    first = sorted(log[:4], key=lambda row: row["val_loss"])
    assert [row["candidate"] for row in log[4:]] == [
        row["candidate"] for row in first[:2]
    ]
    best = min(log[4:], key=lambda row: row["val_loss"])
    told = read(tried / "run.json")["search"]
    assert told["trials"] == {
        "trials": 6,
        "entrants": 4,
        "winner": best["candidate"],
        "steps": 322,
        "val_loss": best["val_loss"],
        "val_accuracy": best["val_accuracy"],
    }
    assert told["trial_seconds"] > 0
    winner = kept["ranking"][best["candidate"]]["architecture"]
    assert read(tried / "architecture.json") == winner


def test_without_trials_the_supernet_s_ranking_decides(bench: Bench) -> None:
    made = bench.run(*a_search("untried", "--trial-epochs", "0"))
    assert made.returncode == 0, made.stderr
    assert "trials" not in made.stdout
    folder = bench.folder / "exports" / "untried"
    assert not (folder / "trials.jsonl").exists()
    kept = read(folder / "candidates.json")
    assert read(folder / "architecture.json") == kept["ranking"][0]["architecture"]


def test_a_search_on_a_part_of_train_says_so_and_trials_take_all(bench: Bench) -> None:
    words = ["--trial-epochs", "11", "--search-images", "20"]
    made = bench.run(*a_search("part", *words))
    assert made.returncode == 0, made.stderr
    assert "1 epoch on 21 train images," in made.stdout  # 7 of each class
    folder = bench.folder / "exports" / "part"
    record = read(folder / "run.json")
    assert record["request"]["search_images"] == 20
    assert record["search"]["images"] == 21
    # two networks share 11 epochs of 60 images in twos
    assert record["search"]["trials"]["steps"] == 165
    made = bench.run(*a_search("part", "--trial-epochs", "11", "--resume"))
    assert made.returncode == 2
    assert "search-images is None, the run's is 20" in made.stderr


def test_trials_go_on_from_their_log_and_with_the_same_networks(
    bench: Bench, tried: Path
) -> None:
    before = {
        name: (tried / name).read_bytes()
        for name in ("architecture.json", "candidates.json")
    }
    log = (tried / "trials.jsonl").read_text(encoding="utf-8")
    (tried / "trials.jsonl").write_text(log[: log.rindex("{") + 9], encoding="utf-8")
    reopened(tried)
    made = bench.run(*a_search(tried.name, "--trial-epochs", "43", "--resume"))
    assert made.returncode == 0, made.stderr
    for name, content in before.items():
        assert (tried / name).read_bytes() == content
    again = rows(tried / "trials.jsonl")
    was = [json.loads(line) for line in log.splitlines()]
    assert again[:5] == was[:5]
    assert again[5] | {"seconds": 0} == was[5] | {"seconds": 0}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "trials.jsonl",
            json.dumps(
                {"number": 2, "round": 1, "candidate": 1, "steps": 161, "seconds": 1.0}
                | {"train_loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5},
                sort_keys=True,
            ),
            "not the log of these trials (trial 2 is not the one that comes next)",
        ),
        (
            "trials.jsonl",
            '{"number": 1}',
            "not the log of these trials ('round')",
        ),
        (
            "candidates.json",
            '{"schema": 1, "ranking": []}',
            "damaged (no selection: 'drawn')",
        ),
    ],
)
def test_a_damaged_file_is_told_and_nothing_is_lost(
    bench: Bench, tried: Path, name: str, content: str, reason: str
) -> None:
    reopened(tried)
    (tried / name).write_text(content + "\n", encoding="utf-8")
    made = bench.run(*a_search(tried.name, "--trial-epochs", "43", "--resume"))
    assert made.returncode == 2
    assert made.stderr.splitlines()[-2:] == [
        f"error: exports/{tried.name}/{name}: {reason}",
        "hint: delete it, and repeat the command with --resume",
    ]
    assert (tried / name).read_text(encoding="utf-8") == content + "\n"


def test_trials_of_another_number_of_epochs_are_refused(
    bench: Bench, tried: Path
) -> None:
    reopened(tried)
    made = bench.run(*a_search(tried.name, "--trial-epochs", "8", "--resume"))
    assert made.returncode == 2
    assert "trial-epochs is 8, the run's is 43, so it can't be resumed" in made.stderr
