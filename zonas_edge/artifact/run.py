"""A run: one directory that every command reads and adds to.

What happened is in ``run.json``, everything else stands beside it, so that a run can
be repeated, resumed, or copied to another machine as one folder. Its state is read
from the disk each time and never kept in memory, where it could differ.
"""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from zonas_edge.artifact.delivered import Delivered
from zonas_edge.artifact.files import (
    REPAIR,
    lock_folder,
    plain_errors,
    read_json,
    strangers,
    sweep,
    write_json,
)
from zonas_edge.errors import UsageError, did_you_mean

State = Literal["started", "finished"]

CHOOSING = ("search", "baseline")
"""Stages of which one ends in the run's ``architecture.json``."""

LONGEST_NAME = 100

DEFAULT_OUT = Path("exports")
"""Folder of runs, unless the user names another."""

_FIRST = "zonas-edge search --profile NAME --dataset NAME"


class _File:
    """A file of a run, as a path."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, run: "Run", owner: type["Run"]) -> Path:
        """Its place in the run's folder, whether it is there or not."""
        return run.path / self.name


@dataclass(frozen=True)
class Run:
    """A run's folder, its files, and its record ``run.json``.

    Args:
        path: the folder, ``<out>/<name>``.
    """

    path: Path

    record = _File("run.json")
    history = _File("history.jsonl")
    search_checkpoint = _File("search.ckpt")
    candidates = _File("candidates.json")
    trials_log = _File("trials.jsonl")
    architecture = _File("architecture.json")
    retrain_log = _File("retrain.jsonl")
    retrain_checkpoint = _File("retrain.ckpt")
    weights = _File("weights.pt")
    published_log = _File("published.jsonl")
    model = _File("model.onnx")
    golden = _File("golden.npz")
    report = _File("report.json")
    example = _File("infer.py")
    int8_model = _File("model.int8.onnx")
    int8_golden = _File("golden.int8.npz")
    int8_report = _File("report.int8.json")

    @property
    def float32(self) -> Delivered:
        """The exported file and what belongs to it."""
        return Delivered(self.model, self.golden, self.report)

    @property
    def int8(self) -> Delivered:
        """The same of the INT8 file, which isn't there if it was not accepted."""
        return Delivered(self.int8_model, self.int8_golden, self.int8_report)

    @property
    def bundle(self) -> Path:
        """Where a bundle goes by default; its reader may have put a report there.

        It is no file of the run, so that starting over leaves it.
        """
        return self.path / "bundle"

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.path.name

    def command(self, verb: str, *options: str) -> str:
        """A command about this run, as it can be typed where this one was.

        Args:
            verb: such as ``export``.
            options: words behind it, the last of them perhaps without its value.
        """
        out = self.path.parent
        return shlex.join(["zonas-edge", verb, self.name, *_place(out), *options])

    def read(self) -> dict[str, Any]:
        """The record as it is on the disk now.

        Raises:
            UsageError: it can't be read, or is no record.
        """
        data = read_json(self.record)
        for key, kind in (("created", str), ("stages", dict)):
            if not isinstance(data.get(key), kind):
                raise UsageError(f"{self.record}: no {key} in it", REPAIR)
        return data

    def update(self, **changes: Any) -> None:
        """Replace top-level keys of the record, atomically; None takes a key away.

        Raises:
            ValueError: a number is NaN or infinite.
            UsageError: the record can't be read or written.
        """
        record = {**self.read(), **changes}
        write_json(self.record, {k: v for k, v in record.items() if v is not None})

    def stages(self) -> dict[str, State]:
        """What each command that was begun here has come to."""
        stages: dict[str, State] = self.read()["stages"]
        return stages

    def mark(self, stage: str, state: State) -> None:
        """Record what a command has come to.

        Raises:
            UsageError: the record can't be read or written.
        """
        self.update(stages={**self.stages(), stage: state})

    def finished(self, stage: str) -> bool:
        """Whether a command has done its work here."""
        return self.stages().get(stage) == "finished"

    @property
    def chosen(self) -> bool:
        """Whether it is settled which network the run is about."""
        return network_chosen(self.stages())

    def start_over(self) -> None:
        """Delete every file of the run and begin a new record.

        Files that the user put there stay.

        Raises:
            UsageError: the system refuses.
        """
        # Killed in between, the run has old settings and no stage done, which both a
        # resumption and another start can take.
        self.update(stages={})
        with plain_errors(self.path):
            for file in vars(Run).values():
                if isinstance(file, _File) and file.name != self.record.name:
                    (self.path / file.name).unlink(missing_ok=True)
        self._begin()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other commands from writing here; they are told so, and don't wait.

        It is held by whoever opened it: a second lock in the same process is refused
        as well. The system gives it back when the process ends, however it ends.

        Raises:
            UsageError: another command holds it, or the system refuses.
        """
        with lock_folder(self.path, "wait for it, or choose another --name"):
            sweep(self.path)
            yield

    def _begin(self) -> None:
        created = datetime.now(UTC).isoformat(timespec="microseconds")
        write_json(self.record, {"name": self.name, "created": created, "stages": {}})


def network_chosen(stages: Mapping[str, str]) -> bool:
    """Whether one of the stages of a run that end in its network is finished."""
    return any(stages.get(stage) == "finished" for stage in CHOOSING)


def create_run(out: Path, name: str) -> Run:
    """Make a run's folder and begin its record.

    Args:
        out: the folder of runs; made if absent.
        name: of the run; not used yet.

    Raises:
        UsageError: the name can't be used or is taken, or the system refuses.
    """
    _check_name(name)
    run = Run(out / name)
    with plain_errors(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
        _check_free(run)
    with run.lock(), plain_errors(run.path):
        _check_free(run)  # again: another command may have been faster
        run._begin()  # noqa: SLF001 - the one other place where a record begins
    return run


def list_runs(out: Path) -> tuple[Run, ...]:
    """Every run in a folder, newest first; folders without a record are none.

    One whose record is damaged comes last, since when it began can't be told.

    Raises:
        UsageError: the folder can't be read.
    """
    with plain_errors(out):
        try:
            folders = sorted(out.iterdir())
        except FileNotFoundError:
            return ()
        runs = [Run(folder) for folder in folders if Run(folder).record.is_file()]
    return tuple(sorted(runs, key=_begun, reverse=True))


def _begun(run: Run) -> str:
    """When a run began, which sorts as a text; nothing if its record is damaged."""
    try:
        return str(run.read()["created"])
    except UsageError:
        return ""


def find_run(out: Path, name: str) -> Run | None:
    """The run of that name, or None if there is none yet.

    Raises:
        UsageError: the name can't be used, or its record can't be read.
    """
    _check_name(name)
    run = Run(out / name)
    with plain_errors(run.path):
        there = run.record.is_file()
    if not there:
        return None
    run.read()
    return run


def open_run(out: Path, name: str | None = None) -> Run:
    """The run of that name, or without a name the newest.

    Raises:
        UsageError: there is no such run, or a record can't be read.
    """
    if name is not None and _refusal(name) is None and (run := find_run(out, name)):
        return run
    runs = list_runs(out)
    if not runs:
        raise UsageError(f"{out}: no run yet", _FIRST)
    if name is None:
        runs[-1].read()  # a damaged one may be the newest: which one is meant?
        return runs[0]
    near = did_you_mean(Path(name).name, [run.name for run in runs])
    raise UsageError(f"{out}: no run named {name}", near or _listing(out))


def _listing(out: Path) -> str:
    """The command that lists the runs of a folder."""
    return shlex.join(["zonas-edge", "runs", "list", *_place(out)])


def _place(out: Path) -> list[str]:
    """The option that names a folder of runs, where it is needed."""
    return [] if out == DEFAULT_OUT else ["--out", str(out)]


def _check_free(run: Run) -> None:
    """Refuse a folder that is a run already, or holds somebody's files."""
    content = strangers(run.path)
    if run.record.name in content:
        raise UsageError(
            f"{run.path}: this run exists already",
            "add --resume to go on with it, or choose another --name",
        )
    if content:
        raise UsageError(
            f"{run.path}: a folder with files in it that is no run",
            "choose another --name",
        )


def _check_name(name: str) -> None:
    if reason := _refusal(name):
        shown = repr(name) if len(name) <= LONGEST_NAME else f"{name[:20]}..."
        raise UsageError(
            f"--name {shown}: {reason}", "choose a --name such as pi4-seed0"
        )


def _refusal(name: str) -> str | None:
    """Why no run can have this name, or None."""
    reasons = {
        "empty": not name.strip(),
        "holds a slash": "/" in name or "\\" in name,
        "begins with a dot, a dash or a space": name[:1] in {".", "-", " "},
        "holds a character that can't be printed": not name.isprintable(),
        f"longer than {LONGEST_NAME} characters": len(name) > LONGEST_NAME,
    }
    return next((reason for reason, true in reasons.items() if true), None)
