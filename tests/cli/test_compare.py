"""``zonas-edge compare`` with real processes: killed, resumed, and told what failed."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SHORT, Bench, furnish
from tests.cli.test_help import told
from zonas_edge.compare.row import CLOCKED

GRID = [
    *("compare", "--methods", "zo-darts++,random-single", "--datasets", "./bands.npz"),
    *("--profiles", "./small.toml", "--seeds", "2", *SHORT, "--workers", "2"),
    *("--published-protocol", "--quiet"),
]
OUT = Path("exports/compare")
OTHERWISE = (
    "published-protocol is False, the comparison's is True, so it can't be resumed"
)
FIRST = "bands-small-zo-darts++-seed0"


def rows_of(bench: Bench, out: Path = OUT, *, seeds: int = 2) -> str:
    """The first seeds' rows, without what a clock or another look at test changes."""
    rows = [row for row in results_of(bench, out)["rows"] if row["seed"] < seeds]
    for row in rows:
        for key in (*CLOCKED, "test_openings"):
            del row[key]
    return json.dumps(rows, indent=1)


def results_of(bench: Bench, out: Path = OUT) -> dict[str, Any]:
    file = bench.folder / out / "results.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with an undisturbed comparison in it; tests read that only."""
    bench = furnish(tmp_path_factory.mktemp("compared"))
    made = bench.run(*GRID, limit_s=900)
    assert made.returncode == 0, made.stderr
    (bench.folder / "told.txt").write_text(made.stdout, encoding="utf-8")
    return bench


def wait_for(file: Path, lines: int, child: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until and child.poll() is None:
        if file.exists() and file.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.005)
    raise AssertionError(f"{file} has not grown to {lines} lines")


def children_of(process: int) -> list[int]:
    """Children of any of a process's threads, as Linux tells them."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        found += [int(word) for word in file.read_text(encoding="utf-8").split()]
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_a_comparison_killed_at_several_points_ends_in_the_same_rows(
    compared: Bench, bench: Bench
) -> None:
    run = bench.folder / OUT / "runs" / FIRST
    words = GRID
    for file, lines, number, code in (
        ("history.jsonl", 1, signal.SIGKILL, -signal.SIGKILL),
        ("history.jsonl", 2, signal.SIGINT, 130),
        ("published.jsonl", 2, signal.SIGKILL, -signal.SIGKILL),
    ):
        child = bench.start(*words)
        wait_for(run / file, lines, child)
        child.send_signal(number)
        _, noise = child.communicate(timeout=60)
        assert child.returncode == code
        assert noise.startswith("interrupted; go on with: " if code == 130 else "")
        words = [*GRID, "--resume"]
    made = bench.run(*words, limit_s=900)

    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert rows_of(bench) == rows_of(compared)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_cell_alone_and_the_cell_can_be_made_again(
    compared: Bench, bench: Bench
) -> None:
    words = [*GRID]
    words[words.index("--workers") + 1] = "1"
    words[words.index("--seeds") + 1] = "1"
    child = bench.start(*words)
    run = bench.folder / OUT / "runs" / FIRST
    wait_for(run / "history.jsonl", 1, child)
    for worker in children_of(child.pid):
        subprocess.run(["kill", "-9", str(worker)], check=True)  # noqa: S607
    _, noise = child.communicate(timeout=900)

    assert child.returncode == 1
    assert noise == f"warning: {FIRST}: its worker died: exit code -9\n"
    (failure,) = results_of(bench)["failures"]
    assert (failure["run"], failure["seed"]) == (FIRST, 0)
    assert len(results_of(bench)["rows"]) == 1
    assert bench.run(*words, "--resume", limit_s=900).returncode == 0
    assert rows_of(bench) == rows_of(compared, seeds=1)


@pytest.mark.slow
def test_a_cell_is_an_ordinary_run_and_nobody_chose_by_the_published_figure(
    compared: Bench, done: Bench
) -> None:
    cell = compared.folder / OUT / "runs" / FIRST
    whole = done.folder / "exports" / "whole"
    for name in ("architecture.json", "weights.pt"):
        assert (cell / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_the_published_figure_is_the_largest_of_every_epoch_and_each_look_counts(
    compared: Bench,
) -> None:
    for row in results_of(compared)["rows"]:
        log = compared.folder / OUT / "runs" / row["run"] / "published.jsonl"
        looks = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        assert [look["epoch"] for look in looks] == [1, 2, 3]
        largest = max(look["accuracy"] for look in looks)
        assert row["accuracy_max_over_test_epochs"] == largest
        assert row["accuracy"] <= largest
        assert row["test_openings"] == 4


@pytest.mark.slow
def test_the_folder_holds_tables_and_plots(compared: Bench) -> None:
    folder = compared.folder / OUT
    plots = {file.name for file in (folder / "plots").iterdir()}
    assert {
        "accuracy-parameters-bands.png",
        "accuracy-latency-bands.svg",
        "sizes-bands-small.png",
        f"probabilities-{FIRST}.svg",
    } <= plots
    text = (compared.folder / "told.txt").read_text(encoding="utf-8")
    assert text.startswith("bands: test accuracy, 2 seeds\n")
    assert text.endswith(f"tables, rows and plots: {OUT}\n")
    results = results_of(compared)
    assert results["schema"] == 1
    assert results["mixed"] == []
    assert results["environment"]["threads"] == 1
    assert results["settings"]["search"]["bands"]["zo-darts++"]["epochs"] == 3


@pytest.mark.slow
def test_a_comparison_goes_on_under_its_own_settings_alone(compared: Bench) -> None:
    without = [word for word in GRID if word != "--published-protocol"]
    for words, reason, hint in (
        (
            GRID,
            "this comparison exists already",
            "add --resume to go on with it, or choose another folder with --out",
        ),
        (
            [*without, "--resume"],
            OTHERWISE,
            "repeat its own command with --resume, or choose another folder with --out",
        ),
    ):
        answer = compared.run(*words)
        assert answer.returncode == 2
        assert answer.stderr == f"error: {OUT}: {reason}\nhint: {hint}\n"


@pytest.mark.slow
def test_a_cell_that_was_validated_otherwise_is_measured_as_the_others_are(
    compared: Bench,
) -> None:
    other = Path("exports/other")
    copy = compared.folder / other
    shutil.copytree(compared.folder / OUT, copy)
    words = ["validate", FIRST, "--out", str(other / "runs"), "--quiet"]
    answer = compared.run(*words, "--profile", "x86-64")
    assert answer.returncode in {0, 4}, answer.stderr
    report = copy / "runs" / FIRST / "report.json"
    assert json.loads(report.read_text(encoding="utf-8"))["profile"] == "x86-64"

    again = compared.run(*GRID, "--out", str(other), "--resume", limit_s=300)

    assert again.returncode == 0, again.stderr
    assert json.loads(report.read_text(encoding="utf-8"))["profile"] == "small"
    assert rows_of(compared, other) == rows_of(compared)


@pytest.mark.slow
def test_a_search_that_two_budgets_share_gives_what_each_gives_alone(
    bench: Bench,
) -> None:
    words = [*GRID[: GRID.index("--workers")], "--workers", "1", "--quiet"]
    words[words.index("--methods") + 1] = "random"
    words[words.index("--seeds") + 1] = "1"
    for option in ("--epochs", "--retrain-epochs"):
        words[words.index(option) + 1] = "1"
    words += ["--trial-epochs", "0"]
    assert bench.run(*words, "--budgets", "10000,7000").returncode == 0
    assert bench.run(*words, "--budgets", "7000", "--out", "alone").returncode == 0
    name = "bands-small-7000-random-seed0"
    together, alone = (
        bench.folder / folder / "runs" / name for folder in (OUT, "alone")
    )
    record = json.loads((together / "run.json").read_text(encoding="utf-8"))
    assert record["search_of"] == "bands-small-10000-random-seed0"
    for file in ("candidates.json", "architecture.json", "weights.pt"):
        one, other = (json_or_bytes(folder / file) for folder in (together, alone))
        assert one == other, file


def json_or_bytes(file: Path) -> Any:
    """The content of a file, without what a clock has told."""
    if file.suffix != ".json":
        return file.read_bytes()
    found = json.loads(file.read_text(encoding="utf-8"))
    found.pop("seconds", None)
    return found


def test_cells_that_fail_are_told_and_the_exit_code_is_the_first_one_s(
    bench: Bench,
) -> None:
    words = [*GRID, "--budgets", "9"]
    words[words.index("--seeds") + 1] = "1"
    words[words.index("--methods") + 1] = "zo-darts++,mobilenetv2"
    answer = bench.run(*words)

    assert answer.returncode == 3
    begin = "./small.toml: budget.parameters is 9, below the"
    assert f"-9-zo-darts++-seed0: {begin} smallest network of this" in answer.stderr
    assert f"-9-mobilenetv2-seed0: {begin} narrowest mobilenetv2" in answer.stderr
    assert answer.stdout.startswith("Not made\n")
    results = results_of(bench)
    assert results["rows"] == []
    assert [one["exit_code"] for one in results["failures"]] == [3, 3]
    assert [one["budget"] for one in results["failures"]] == [9, 9]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            ("--methods", "zo-darts++,resnet"),
            (
                "error: --methods: no method named resnet\n"
                "hint: did you mean --methods resnet18?\n"
            ),
        ),
        (
            ("--methods", "zo-darts++,"),
            (
                "error: --methods: 'zo-darts++,' has an empty word\n"
                "hint: --methods a,b\n"
            ),
        ),
        (
            ("--datasets", "./gone.npz"),
            "error: ./gone.npz: no such file or directory\n",
        ),
        (
            ("--profiles", "./gated.toml"),
            (
                "error: acceptance.min_sensitivity: unknown class malign\n"
                "hint: the classes are low, middle, high\n"
            ),
        ),
        (
            ("--out", "."),
            (
                "error: .: a folder with files in it that is no comparison\n"
                "hint: choose another folder with --out\n"
            ),
        ),
    ],
    ids=["method", "empty", "data", "gate", "folder"],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    bench: Bench,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changed: tuple[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(bench.folder)
    gate = "[acceptance.min_sensitivity]\nmalign = 0.8\n"
    small = (bench.folder / "small.toml").read_text(encoding="utf-8")
    (bench.folder / "gated.toml").write_text(f"{small}\n{gate}", encoding="utf-8")
    before = sorted(bench.folder.rglob("*"))
    words = [*GRID, "--threads-per-worker", "1", *changed]
    code, text, noise = told(words, capsys)
    assert code in {2, 7}
    assert (text, noise) == ("", message)
    assert sorted(bench.folder.rglob("*")) == before
