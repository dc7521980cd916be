"""The documents are true: examples parse, tables match results, errors are drawn."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from tests.scripts import ROOT, script
from zonas_edge import errors
from zonas_edge.cli import app
from zonas_edge.errors import ZonasError

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted(set(re.findall(r"^\$ zonas-edge (.+)$", README, re.MULTILINE)))


def command_names() -> list[str]:
    """Every command, with its group before it."""
    root = typer.main.get_command(app)
    names = []
    for name, command in vars(root)["commands"].items():
        inner = vars(command).get("commands")
        names += [f"{name} {sub}" for sub in inner] if inner else [name]
    return names


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_readme_parses(example: str) -> None:
    words = shlex.split(example)
    command = typer.main.get_command(app)
    context = command.make_context("zonas-edge", list(words))
    while inner := vars(command).get("commands"):
        rest = [*vars(context)["_protected_args"], *context.args]
        name, *words = rest
        command = inner[name]
        context = command.make_context(name, words, parent=context)


def test_every_command_has_an_example_in_the_readme() -> None:
    missing = [
        name
        for name in command_names()
        if not any(example.startswith(name) for example in EXAMPLES)
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "benchmarks/COMPARISONS.md"])
def test_the_tables_of_the_documents_are_those_of_the_results(name: str) -> None:
    tables = script("tables")
    assert ROOT / name in tables.PAGES
    page = (ROOT / name).read_text(encoding="utf-8")
    assert "made by benchmarks/tables.py -->" in page
    assert tables.updated(page) == page


def test_every_table_of_the_results_stands_in_a_document() -> None:
    tables = script("tables")
    pages = "".join(page.read_text(encoding="utf-8") for page in tables.PAGES)
    made = re.findall(r"<!-- ([a-z]+): made by benchmarks/tables.py -->", pages)
    assert sorted(made) == sorted(tables.SECTIONS)


def test_the_pictures_of_the_readme_are_those_of_the_results(tmp_path: Path) -> None:
    drawn = script("fronts").draw_fronts(
        script("tables").read("compare-*.json"), tmp_path
    )
    shown = re.findall(r"\]\((benchmarks/plots/[^)]+)\)", README)
    assert sorted(shown) == sorted(f"benchmarks/plots/{file.name}" for file in drawn)
    kept = {file.name: ROOT / "benchmarks" / "plots" / file.name for file in drawn}
    for file in drawn:
        new, old = file.read_bytes(), kept[file.name].read_bytes()
        by = [re.findall(rb"Matplotlib v[\d.]+", one) for one in (new, old)]
        assert by[0]
        assert new == old or by[0] != by[1], file.name


def test_the_error_tree_in_the_docstring_is_the_real_one() -> None:
    drawn = dict(re.findall(r"(\w+Error) +(\d)", errors.__doc__ or ""))
    real: dict[str, str] = {}
    waiting: list[type[ZonasError]] = [ZonasError]
    while waiting:
        kind = waiting.pop()
        real[kind.__name__] = str(kind.exit_code)
        waiting += kind.__subclasses__()
    assert drawn == real


def test_the_readme_lists_every_exit_code() -> None:
    table = README.split("| exit | meaning |", 1)[1].split("\n\n", 1)[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    kinds: list[type[ZonasError]] = [ZonasError, *ZonasError.__subclasses__()]
    real = {kind.exit_code for kind in kinds}
    assert codes == real | {0, 130}


def test_the_layout_in_the_readme_names_every_module() -> None:
    drawn = set(re.findall(r"^  ([a-z_]+)(?:\.py|/)", README, re.MULTILINE))
    real = {
        path.stem
        for path in (ROOT / "zonas_edge").iterdir()
        if (path.suffix == ".py" or path.is_dir()) and not path.name.startswith("__")
    }
    assert drawn == real


def test_the_readme_says_that_nothing_is_for_clinical_use() -> None:
    assert "**Not for clinical use.**" in README
