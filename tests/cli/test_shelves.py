"""profiles, datasets and runs: what they list is what there is."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.cli.conftest import Bench
from tests.cli.test_help import told
from zonas_edge.artifact import create_run
from zonas_edge.data.load import dataset_names
from zonas_edge.profile import LEVELS, Level, shipped_profiles
from zonas_edge.report.profiles import level_table, profile_table
from zonas_edge.runtimes import load_consistent_profile


def printed(words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    code, text, noise = told([*words.split(), "--json"], capsys)
    assert (code, noise) == (0, "")
    return json.loads(text)


def test_profiles_lists_every_shipped_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text, _ = told(["profiles", "list"], capsys)
    heading, *lines = text.splitlines()

    assert code == 0
    assert heading.split()[:3] == ["profile", "device", "parameters"]
    rows, levels = lines[: len(shipped_profiles())], lines[len(shipped_profiles()) :]
    assert tuple(line.split()[0] for line in rows) == shipped_profiles()
    assert levels == [
        "",
        "constraint level  device  parameters",
        *(
            f"{name:18}none    the {name} of three published bands of 10 data sets"
            for name in LEVELS
        ),
    ]
    found = printed("profiles list", capsys)
    assert tuple(entry["name"] for entry in found["profiles"]) == shipped_profiles()
    assert [entry["name"] for entry in found["levels"]] == [*LEVELS]


def test_a_narrow_terminal_cuts_no_name_and_no_figure() -> None:
    profiles = [load_consistent_profile(name) for name in shipped_profiles()]
    console = Console(file=io.StringIO(), width=66)
    with console.capture() as shown:
        console.print(profile_table(profiles))
        console.print(level_table([Level(name) for name in LEVELS]))
    text = shown.get()
    assert "…" not in text
    for name in (*shipped_profiles(), *LEVELS):
        assert f"\n{name} " in text
    for profile in profiles:
        assert f" {profile.budget.parameters:,} " in text


@pytest.mark.parametrize("name", shipped_profiles())
def test_profiles_show_prints_the_whole_profile(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = load_consistent_profile(name)

    assert printed(f"profiles show {name}", capsys) == {
        "schema": 1,
        **profile.to_dict(),
    }
    _, text, _ = told(["profiles", "show", name], capsys)
    assert text.splitlines()[0] == f"{name} (profiles/{name}.toml)"
    assert profile.board[0].cpu in text


def test_profiles_show_prints_the_bands_of_a_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text, _ = told(["profiles", "show", "medium"], capsys)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()}

    assert code == 0
    assert text.splitlines()[0] == "medium (a constraint level)"
    assert "no device, no limit on latency or size." in text
    assert rows["breastmnist"] == ["341,561", "506,283", "341,768.4", "506,491.6"]
    assert printed("profiles show medium", capsys)["bands"]["breastmnist"] == {
        "published": [341_768.4, 506_491.6],
        "parameters": 506_283,
        "min_parameters": 341_561,
    }


def test_profiles_check_accepts_a_profile_of_ones_own(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"{bench.folder}/small.toml"

    assert told(["profiles", "check", file], capsys) == (
        0,
        f"{file}: can be used\n",
        "",
    )
    assert printed(f"profiles check {file}", capsys)["valid"] is True


def test_datasets_lists_every_set_also_those_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = printed("datasets list", capsys)["datasets"]

    assert [entry["name"] for entry in found] == [set_.name for set_ in dataset_names()]
    _, text, _ = told(["datasets", "list"], capsys)
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert lines["digits"].endswith("yes")
    assert lines["organmnist3d"].endswith(
        "no: its images are volumes (3-D), only flat images can be used"
    )


def test_datasets_fetch_finds_a_file_that_is_there(
    medmnist_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["datasets", "fetch", "breastmnist", "--offline", "--data-dir"]

    assert told([*words, str(medmnist_dir)], capsys) == (
        0,
        f"{(medmnist_dir / 'breastmnist.npz').absolute()}\n",
        "",
    )


def test_runs_list_of_an_empty_folder_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["runs", "list", "--out", str(tmp_path)]

    assert told(words, capsys) == (0, "", "no run yet\n")
    assert printed(" ".join(words), capsys) == {"schema": 1, "runs": []}


@pytest.mark.slow
def test_runs_show_tells_the_network_against_its_budget(
    done: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    out = done.folder / "exports"
    record = json.loads((out / "whole" / "run.json").read_text(encoding="utf-8"))

    code, text, _ = told(["runs", "show", "--out", str(out)], capsys)
    rows = {line.split("  ")[0]: line for line in text.splitlines()}

    weights = record["search"]["parameters"]
    assert code == 0
    assert "stage 3: " in text
    assert f"{weights:,} of 2,000,000, " in rows["parameters"]
    assert rows["latency"].endswith("(an estimate, not measured)")
    assert "next:" not in text  # it is validated, nothing is left to do


@pytest.mark.slow
def test_runs_list_names_the_verdict(
    done: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    out = done.folder / "exports"

    _, text, _ = told(["runs", "list", "--out", str(out)], capsys)

    assert text.splitlines()[1].startswith("whole")
    (summary,) = printed(f"runs list --out {out}", capsys)["runs"]
    assert text.splitlines()[1].endswith(f"validated: {summary['verdict']}")


def test_a_damaged_run_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_run(tmp_path, "sound")
    damaged = create_run(tmp_path, "torn").record
    damaged.write_bytes(b"")

    code, text, _ = told(["runs", "list", "--out", str(tmp_path)], capsys)
    told_of = printed(f"runs list --out {tmp_path}", capsys)["runs"]

    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["run", "sound", "torn"]
    assert text.splitlines()[2].endswith("damaged: run.json: not a JSON object")
    assert [run["name"] for run in told_of] == ["sound", "torn"]
    assert told_of[1]["damaged"] == f"{damaged}: not a JSON object"


@pytest.mark.slow
def test_a_damaged_record_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "torn"
    run.mkdir()
    record = {"schema": 1, "created": "x", "stages": {}, "dataset": {"name": "a"}}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")

    assert told(["runs", "show", "--out", str(tmp_path)], capsys) == (
        2,
        "",
        (
            f"error: {run}/run.json: damaged (KeyError: 'image')\n"
            "hint: restore the file, or begin a new run\n"
        ),
    )
