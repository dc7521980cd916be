"""A run survives what happens to it: kills, full disks, two commands at once."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zonas_edge.artifact import (
    Run,
    append_line,
    create_run,
    cut_lines,
    find_run,
    list_runs,
    open_run,
    read_json,
    read_lines,
    write_bytes,
    write_json,
    write_text,
)
from zonas_edge.errors import UsageError

REPAIR = "restore the file, or delete the folder it is in"
ELSEWHERE = "choose another folder with --out"


@contextlib.contextmanager
def told(message: str, hint: str | None = None) -> Iterator[None]:
    with pytest.raises(UsageError) as caught:
        yield
    assert (str(caught.value), caught.value.hint) == (message, hint)
    assert caught.value.exit_code == 2


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere, so that a test of permissions has to be someone else."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_new_run_has_a_name_a_time_and_no_stage(tmp_path: Path) -> None:
    run = create_run(tmp_path / "deep" / "exports", "pi4")

    assert run.name == "pi4"
    record = run.read()
    assert record.pop("created").endswith("+00:00")
    assert record == {"schema": 1, "name": "pi4", "stages": {}}
    assert run.model == tmp_path / "deep" / "exports" / "pi4" / "model.onnx"


def test_changes_and_stages_add_up_in_the_record(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    run.update(seed=0, dataset={"name": "digits"})
    run.mark("search", "started")
    run.mark("search", "finished")
    run.mark("retrain", "started")
    run.update(seed=1)

    again = open_run(tmp_path, "a")
    assert again.stages() == {"search": "finished", "retrain": "started"}
    assert again.finished("search")
    assert not again.finished("retrain")
    assert not again.finished("export")
    assert again.read()["seed"] == 1
    assert again.read()["dataset"] == {"name": "digits"}


def test_without_a_name_the_newest_run_is_opened(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        create_run(tmp_path, name)
    (tmp_path / "README.md").touch()
    (tmp_path / "no-run").mkdir()

    assert [run.name for run in list_runs(tmp_path)] == ["a", "c", "b"]
    assert open_run(tmp_path) == Run(tmp_path / "a")
    create_run(tmp_path, "d")
    assert open_run(tmp_path).name == "d"


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    first = "zonas-edge search --profile NAME --dataset NAME"
    with told(f"{tmp_path}/none: no run yet", first):
        open_run(tmp_path / "none")
    with told(f"{tmp_path}: no run yet", first):
        open_run(tmp_path, "pi4")
    create_run(tmp_path, "pi4-seed0")
    with told(f"{tmp_path}: no run named pi4-seed1", "did you mean pi4-seed0?"):
        open_run(tmp_path, "pi4-seed1")
    with told(f"{tmp_path}: no run named x/pi4-seed0/", "did you mean pi4-seed0?"):
        open_run(tmp_path, "x/pi4-seed0/")
    with told(
        f"{tmp_path}: no run named zzz", f"zonas-edge runs list --out {tmp_path}"
    ):
        open_run(tmp_path, "zzz")
    assert find_run(tmp_path, "zzz") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "'': empty"),
        ("  ", "'  ': empty"),
        ("a/b", "'a/b': holds a slash"),
        ("..", "'..': begins with a dot, a dash or a space"),
        ("-x", "'-x': begins with a dot, a dash or a space"),
        ("a\nb", "'a\\nb': holds a character that can't be printed"),
        ("x" * 101, "x" * 20 + "...: longer than 100 characters"),
    ],
)
def test_a_name_that_is_no_folder_is_told(
    tmp_path: Path, name: str, reason: str
) -> None:
    with told(f"--name {reason}", "choose a --name such as pi4-seed0"):
        create_run(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x" * 100, "patient é", "1"])
def test_other_names_are_taken(tmp_path: Path, name: str) -> None:
    create_run(tmp_path, name)
    assert open_run(tmp_path, name).read()["name"] == name


def test_a_run_is_not_created_twice_nor_over_other_files(tmp_path: Path) -> None:
    create_run(tmp_path, "a")
    with told(
        f"{tmp_path}/a: this run exists already",
        "add --resume to go on with it, or choose another --name",
    ):
        create_run(tmp_path, "a")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "model.onnx").touch()
    with told(
        f"{tmp_path}/thesis: a folder with files in it that is no run",
        "choose another --name",
    ):
        create_run(tmp_path, "thesis")


def test_a_folder_that_was_killed_before_its_record_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".run.json.tmp-17").write_text("{")
    (tmp_path / "a" / ".lock").touch()
    create_run(tmp_path, "a")
    assert {file.name for file in (tmp_path / "a").iterdir()} == {"run.json", ".lock"}


def test_starting_over_keeps_nothing_but_the_users_files(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    before = run.read()["created"]
    run.mark("search", "finished")
    for file in (run.history, run.search_checkpoint, run.model, run.path / "note.txt"):
        file.touch()

    run.start_over()

    left = {file.name for file in run.path.iterdir()} - {".lock"}
    assert left == {"run.json", "note.txt"}
    assert run.stages() == {}
    assert run.read()["created"] > before


@pytest.mark.parametrize(
    ("content", "reason", "hint"),
    [
        (b"", "not a JSON object", REPAIR),
        (b'{"schema": 1', "not a JSON object", REPAIR),
        (b"[1]", "not a JSON object", REPAIR),
        (b"\xff\xfe", "not a JSON object", REPAIR),
        (b"[" * 100_000, "not a JSON object", REPAIR),
        (b'{"schema": 1, "a": NaN}', "not a JSON object", REPAIR),
        (b'{"schema": 1, "a": ' + b"9" * 5000 + b"}", "not a JSON object", REPAIR),
        (b"{}", "schema is None, not 1", None),
        (b'{"schema": 2}', "schema is 2, not 1", None),
        (b'{"schema": 1, "stages": {}}', "no created in it", REPAIR),
        (b'{"schema": 1, "created": "x", "stages": 3}', "no stages in it", REPAIR),
    ],
)
def test_a_damaged_record_is_told_by_its_file(
    tmp_path: Path, content: bytes, reason: str, hint: str | None
) -> None:
    record = create_run(tmp_path, "a").record
    record.write_bytes(content)
    with told(f"{record}: {reason}", hint):
        open_run(tmp_path, "a")
    create_run(tmp_path, "b")
    with told(f"{record}: {reason}", hint):  # it may be the newest
        open_run(tmp_path)
    assert [run.name for run in list_runs(tmp_path)] == ["b", "a"]


def test_a_run_in_use_is_told_and_free_again_afterwards(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    busy = (
        f"{run.path}: in use by another zonas-edge",
        "wait for it, or choose another --name",
    )
    with run.lock():
        with told(*busy), run.lock():
            pass
        code = (
            "import sys, pathlib, zonas_edge.artifact as a\n"
            "with a.Run(pathlib.Path(sys.argv[1])).lock(): pass"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(run.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert busy[0] in other.stderr
    with run.lock():
        pass


def test_locking_sweeps_what_a_killed_writer_left(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    litter = run.path / ".model.onnx.tmp-12345"
    litter.touch()
    with run.lock():
        assert not litter.exists()


def test_a_file_that_is_killed_while_written_is_the_old_or_the_new_one(
    tmp_path: Path,
) -> None:
    file, draw = tmp_path / "big.json", random.Random(0)  # noqa: S311 - no secret
    code = (
        "import sys, pathlib, zonas_edge.artifact as a\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    a.write_json(pathlib.Path(sys.argv[1]), {'rows': [n] * 20_000})\n"
    )
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", code, str(file)])
        while not file.exists():
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.3))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        rows = read_json(file)["rows"]
        assert len(rows) == 20_000
        assert len(set(rows)) == 1
        file.unlink()


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    file = tmp_path / "model.onnx"
    write_bytes(file, b"old")
    (tmp_path / f".model.onnx.tmp-{os.getpid()}").symlink_to("/dev/full")

    hint = f"free some space, or {ELSEWHERE}"
    with told(f"{file}: no space left on device", hint):
        write_bytes(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupt_while_writing_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    tmp_path.chmod(0o711)
    with as_nobody(), told(f"{closed}/a: permission denied", ELSEWHERE):
        create_run(closed, "a")


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "exports").touch()
    with told(f"{tmp_path}/exports/a: not a directory", ELSEWHERE):
        create_run(tmp_path / "exports", "a")
    with told(f"{tmp_path}/exports: not a directory", ELSEWHERE):
        open_run(tmp_path / "exports")
    with told(f"{tmp_path}/exports: file exists", ELSEWHERE):
        create_run(tmp_path, "exports")


def test_json_is_the_same_bytes_for_the_same_data(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": "é\udc80"})
    write_json(tmp_path / "b", {"a": "é\udc80", "b": 1})
    expected = '{\n  "a": "é\\udc80",\n  "b": 1,\n  "schema": 1\n}\n'
    assert (tmp_path / "a").read_bytes() == expected.encode()
    assert (tmp_path / "b").read_bytes() == expected.encode()
    assert read_json(tmp_path / "a")["a"] == "é\udc80"


def test_json_takes_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(tmp_path / "a", {"loss": float("nan")})
    with pytest.raises(ValueError, match="Out of range float values"):
        append_line(tmp_path / "b", {"loss": float("inf")})
    assert not list(tmp_path.iterdir())


def test_a_text_is_what_was_written(tmp_path: Path) -> None:
    write_text(tmp_path / "infer.py", "print('é')\n")
    assert (tmp_path / "infer.py").read_bytes() == "print('é')\n".encode()
    assert (tmp_path / "infer.py").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=8), min_size=1, max_size=4), data=st.data())
def test_a_log_torn_anywhere_is_its_whole_lines_and_grows_on(
    tmp_path: Path, texts: list[str], data: st.DataObject
) -> None:
    log = tmp_path / "history.jsonl"
    log.unlink(missing_ok=True)
    rows = [{"epoch": epoch, "text": text} for epoch, text in enumerate(texts)]
    for row in rows:
        append_line(log, row)
    content = log.read_bytes()
    torn = content[: data.draw(st.integers(0, len(content)))]
    log.write_bytes(torn)

    whole = rows[: torn.count(b"\n")]
    assert read_lines(log) == whole
    append_line(log, {"epoch": 99})
    assert read_lines(log) == [*whole, {"epoch": 99}]


def test_a_log_is_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    log = tmp_path / "history.jsonl"
    cut_lines(log, lambda _: True)
    assert not log.exists()
    assert read_lines(log) == []
    for epoch in range(4):
        append_line(log, {"epoch": epoch})
    before = log.read_bytes()
    with log.open("ab") as stream:
        stream.write(b'{"epoch": 4, "lo')

    cut_lines(log, lambda row: row["epoch"] < 4)
    assert log.read_bytes() == before
    cut_lines(log, lambda row: row["epoch"] < 2)
    assert [row["epoch"] for row in read_lines(log)] == [0, 1]


def test_a_log_damaged_in_the_middle_is_told_by_its_line(tmp_path: Path) -> None:
    log = tmp_path / "history.jsonl"
    log.write_bytes(b'{"epoch": 0}\n\0\0\0\n{"epoch": 2}\n')
    with told(f"{log}: line 2 is not a JSON object"):
        read_lines(log)
    log.write_bytes(b'{"epoch": 0}\n\0\0\0\n')
    assert read_lines(log) == [{"epoch": 0}]


def test_the_record_is_plain_json_for_other_programs(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    assert json.loads(run.record.read_text(encoding="utf-8")) == run.read()


def test_a_half_written_bundle_is_swept_like_any_other_litter(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    half = run.path / ".bundle.tmp-1"
    half.mkdir()
    (half / "model.onnx").touch()

    with run.lock():
        assert not half.exists()
