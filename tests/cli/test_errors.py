"""Bad input: one line, a hint, the right exit code, and nothing written."""

import errno
import sys
from pathlib import Path

import pytest

from tests.calibrations import a_calibration
from tests.cli.conftest import Bench, furnish
from tests.cli.test_help import told
from zonas_edge import cli
from zonas_edge.artifact import write_json
from zonas_edge.cli import main
from zonas_edge.profile import shipped_profiles

SEARCH = ["search", "--profile", "./small.toml", "--dataset", "./bands.npz"]

USAGE = {
    "serch": ("zonas-edge: no such command serch", "did you mean search?"),
    "runs lst": ("zonas-edge runs: no such command lst", "did you mean list?"),
    "search": (
        "zonas-edge search: missing option --profile",
        "zonas-edge search --help",
    ),
    "search --epoch 3": (
        "zonas-edge search: no such option --epoch",
        "did you mean --epochs?",
    ),
    "search --epochs 0": ("--epochs: is 0, below 1", "zonas-edge search --help"),
    "search --epochs x": (
        "--epochs: is x, not a whole number",
        "zonas-edge search --help",
    ),
    "search --seed -1": ("--seed: is -1, below 0", "zonas-edge search --help"),
    "search --seed 2147483648": (
        "--seed: is 2147483648, above 2147483647",
        "zonas-edge search --help",
    ),
    "search --threads 0": ("--threads: is 0, below 1", "zonas-edge search --help"),
    "run --retrain-epochs 0": (
        "--retrain-epochs: is 0, below 1",
        "zonas-edge run --help",
    ),
    "search --device gpu": (
        "--device: gpu is not one of auto, cpu, cuda",
        "zonas-edge search --help",
    ),
    "export a b": (
        "zonas-edge export: got unexpected extra argument(s) (b)",
        "zonas-edge export --help",
    ),
    "datasets fetch ./mine.npz": (
        "./mine.npz: a file of your own, there is nothing to fetch",
        "zonas-edge run --profile NAME --dataset ./mine.npz",
    ),
    "profiles show x86-65": (
        f"profile x86-65: not one of the {len(shipped_profiles())} shipped",
        "did you mean x86-64?",
    ),
    "search --profile small --dataset digits": (
        "profile small: no band was published for digits",
        "zonas-edge profiles show small",
    ),
    "calibrate --profile small": (
        "profile small: a constraint level, which has no device",
        "zonas-edge profiles list",
    ),
    "calibrate old-run --profile x86-64": (
        "zonas-edge calibrate: old-run: runs go with --refit",
        "zonas-edge calibrate --profile x86-64 --refit FILE old-run",
    ),
    "check model.onnx --profile large": (
        "profile large: a constraint level, which has no device",
        "zonas-edge profiles list",
    ),
    "baseline resnet --profile x86-64 --dataset digits": (
        "network: resnet is not one of resnet18, mobilenetv2",
        "zonas-edge baseline --help",
    ),
    "profiles check nothing": (
        "./nothing: no such file",
        "zonas-edge profiles list",
    ),
    "search --profile x86-64 --dataset digit": (
        "digit: unknown dataset",
        "did you mean digits?",
    ),
    "search --profile x86-64 --dataset chestmnist --offline": (
        (
            "chestmnist: an image may have several labels (multi-label), only one"
            " can be used"
        ),
        "zonas-edge datasets list",
    ),
    "runs show": (
        "exports: no run yet",
        "zonas-edge search --profile NAME --dataset NAME",
    ),
}


@pytest.mark.parametrize("words", USAGE)
def test_a_usage_error_is_two_lines_and_exit_2(
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    message, hint = USAGE[words]

    assert told(words.split(), capsys) == (2, "", f"error: {message}\nhint: {hint}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_budget_out_of_reach_is_exit_3_and_begins_no_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    words = ["search", "--profile", "./tight.toml", "--dataset", "./bands.npz"]

    code, text, noise = told([*words, "--device", "cpu"], capsys)

    assert (code, text) == (3, "")
    assert noise == (
        "error: ./tight.toml: budget.parameters is 9, below the smallest network of"
        " this space (4,651)\n"
        "hint: raise budget.parameters, or lower space.channels (4)\n"
    )
    assert not (bench.folder / "exports").exists()


def test_data_missing_while_offline_are_exit_7(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    words = ["search", "--profile", "./small.toml", "--dataset", "breastmnist"]

    code, text, noise = told([*words, "--data-dir", ".", "--offline"], capsys)

    assert (code, text) == (7, "")
    assert noise == (
        f"error: breastmnist: no breastmnist.npz in {bench.folder}, and fetching is"
        " off (offline)\n"
        "hint: zonas-edge datasets fetch breastmnist --data-dir ., or put the file"
        " there\n"
    )
    assert not (bench.folder / "exports").exists()


def test_cuda_that_is_absent_is_exit_2(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.chdir(bench.folder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert told([*SEARCH, "--device", "cuda"], capsys) == (
        2,
        "",
        (
            "error: --device cuda: this machine has no CUDA device that torch can use\n"
            "hint: --device cpu\n"
        ),
    )


def test_a_gate_for_an_unknown_class_is_told_before_the_search(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    Path("gates.toml").write_text("min_sensitivity = {hihg = 0.5}\n", encoding="utf-8")

    code, _, noise = told(["run", *SEARCH[1:], "--gates", "gates.toml"], capsys)

    assert (code, noise) == (
        2,
        (
            "error: acceptance.min_sensitivity: unknown class hihg\n"
            "hint: did you mean high?\n"
        ),
    )
    assert not Path("exports").exists()


def test_an_out_that_is_a_file_is_exit_2(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)

    code, _, noise = told([*SEARCH, "--name", "a", "--out", "small.toml"], capsys)

    assert (code, noise) == (
        2,
        (
            "error: small.toml/a: not a directory\n"
            "hint: choose another folder with --out\n"
        ),
    )


FAILURES = {
    "a full disk": (
        OSError(errno.ENOSPC, "No space left on device", "exports/a/x"),
        2,
        (
            "error: exports/a/x: no space left on device\n"
            "hint: free some space, or choose another folder with --out\n"
        ),
    ),
    "a file the system refuses": (
        PermissionError(errno.EACCES, "Permission denied", "/x"),
        1,
        "error: /x: permission denied\n",
    ),
    "memory": (
        MemoryError(),
        1,
        "error: out of memory\nhint: close other programs, or use smaller data\n",
    ),
    "torch's memory": (
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."),
        1,
        "error: out of memory\nhint: close other programs, or use smaller data\n",
    ),
    "ctrl-c": (KeyboardInterrupt(), 130, "interrupted\n"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_the_system_refuses_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, code, text = FAILURES[name]

    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    assert told(["runs", "list"], capsys) == (code, "", text)


def test_a_mistake_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(**_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(cli, "app", fails)

    with pytest.raises(KeyError, match="ours"):
        main(["runs", "list"])


def test_ctrl_c_tells_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    assert told(["search", "--dataset", "my data.npz"], capsys) == (
        130,
        "",
        "interrupted; go on with: zonas-edge search --dataset 'my data.npz' --resume\n",
    )


def test_a_name_with_a_line_break_stays_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, noise = told(["profiles", "show", "a\nb/c.toml"], capsys)

    assert (code, noise) == (
        2,
        "error: a?b/c.toml: no such file\nhint: zonas-edge profiles list\n",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_goes_away_gets_no_traceback(bench: Bench) -> None:
    child = bench.start("datasets", "list")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()  # before the first line is written

    assert child.stderr.read() == ""
    child.stderr.close()
    child.wait()


def test_a_budget_below_every_width_is_exit_3_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["baseline", "mobilenetv2", "--profile", "./tight.toml"]

    code, text, noise = told([*words, "--dataset", "./bands.npz"], capsys)

    assert (code, text) == (3, "")
    assert noise.startswith(
        "error: ./tight.toml: budget.parameters is 9, below the narrowest mobilenetv2 ("
    )
    assert noise.endswith("hint: raise budget.parameters\n")
    assert not (tmp_path / "exports").exists()


def test_a_calibration_that_could_not_be_kept_is_never_measured(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    Path("other.json").write_text("{}", encoding="utf-8")
    write_json(Path("known.json"), a_calibration().to_json())
    Path("file").touch()
    words = ["calibrate", "--profile", "./small.toml", "--side", "28", "--model"]
    for model, said in (
        (".", "error: .: is a folder\n"),
        ("file/x.json", "file: nothing can be written there\n"),
        ("other.json", "error: other.json: schema is None, not 1\n"),
        (
            "known.json",
            (
                "error: known.json: a model lies there whose image is (1, 8, 8), not"
                " (1, 28, 28)\nhint: name another file with --model\n"
            ),
        ),
    ):
        code, text, noise = told([*words, model], capsys)
        assert (code, text) == (2, "")
        assert said in noise
