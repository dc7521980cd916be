"""What the program says of itself, before anything heavy is loaded."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
import typer

from zonas_edge import __version__
from zonas_edge.cli import app, main

Golden = Callable[[str, str], None]


def commands(
    group: Any = None, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with the words that lead to it."""
    group = typer.main.get_command(app) if group is None else group
    yield above, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*above, name))


COMMANDS = dict(commands())
LEAVES = {
    words: command
    for words, command in COMMANDS.items()
    if not hasattr(command, "commands")
}


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    output = capsys.readouterr()
    return int(str(ended.value.code)), output.out, output.err


def test_the_console_script_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="zonas-edge")

    assert script.load() is main


def test_these_are_the_commands() -> None:
    assert [" ".join(words) for words in LEAVES] == [
        "search",
        "retrain",
        "baseline",
        "export",
        "validate",
        "check",
        "calibrate",
        "run",
        "compare",
        "profiles list",
        "profiles show",
        "profiles check",
        "datasets list",
        "datasets fetch",
        "runs list",
        "runs show",
    ]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_golden(
    words: tuple[str, ...],
    golden: Golden,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    code, text, noise = told([*words, "--help"], capsys)

    assert (code, noise) == (0, "")
    golden(f"help/{'-'.join(words) or 'zonas-edge'}.txt", text)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_has_a_help_text(words: tuple[str, ...]) -> None:
    without = [option.name for option in COMMANDS[words].params if not option.help]

    assert without == []


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_an_example_that_parses(words: tuple[str, ...]) -> None:
    (line,) = [
        line.strip()
        for line in LEAVES[words].help.splitlines()
        if line.strip().startswith("Example: zonas-edge ")
    ]
    example = shlex.split(line.removeprefix("Example: zonas-edge "))

    assert tuple(example[: len(words)]) == words
    LEAVES[words].make_context(words[-1], example[len(words) :])


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_can_print_json(words: tuple[str, ...]) -> None:
    assert "as_json" in {option.name for option in LEAVES[words].params}


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(["--version"], capsys) == (0, f"zonas-edge {__version__}\n", "")


def test_no_command_shows_the_help_and_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text, noise = told([], capsys)

    assert (code, text) == (2, "")
    assert noise.startswith("Usage: zonas-edge [OPTIONS] COMMAND [ARGS]...\n")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from zonas_edge.cli import main\n"
        "try:\n"
        "    main(['search', '--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy', 'numpy',\n"
        "             'pandas', 'matplotlib', 'rich'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert answer.stderr == "[]\n"


def test_help_answers_at_once() -> None:
    """0.1 s of the processor on our machine; others are slower, torch takes 2 s."""
    script = "from zonas_edge.cli import main; main(['--help'])"
    before = _children()
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert _children() - before < 1.0


def _children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
