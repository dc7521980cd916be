"""The tables of a comparison, whole, and its plots as files."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from tests.compare.rows import a_grid, a_row
from zonas_edge.compare.findings import contrasts, findings, fronts
from zonas_edge.compare.pictures import (
    Cloud,
    Course,
    Pictures,
    Sampled,
    Scatter,
    Sizes,
)
from zonas_edge.compare.results import Comparison
from zonas_edge.compare.statistics import Summary
from zonas_edge.report.comparison import (
    comparison_renderable,
    search_words,
    write_tables,
)
from zonas_edge.report.plots import draw
from zonas_edge.report.questions import (
    contrast_overview,
    contrast_table,
    front_overview,
    overview_tables,
    question_tables,
    summary_text,
)
from zonas_edge.report.table import Table

Golden = Callable[[str, str], None]

FAILURE = {
    "run": "digits-pi-2000-random-seed2",
    "message": "pi.toml: budget.parameters is 9, below the smallest network",
}


def a_comparison() -> Comparison:
    return Comparison(
        rows=a_grid(),
        failures=(FAILURE,),
        reference="zo-darts++",
        settings={
            "epochs": 4,
            "trial_epochs": 0,
            "retrain_epochs": 1,
            "threads": 1,
            "search": {"digits": {"zo-darts++": {}}},
        },
        environment={"device": "cpu", "cpu": "a toaster", "torch": "2.13.0"},
        clock={
            "cpu": "another toaster",
            "onnxruntime": "1.32.0",
            "date": "2026-11-27",
            "commit": "0123456789abcdef+changes",
        },
        commits=("abc", "def"),
        datasets={},
        mixed=("the code is of several commits: abc, def",),
        exit_code=3,
    )


def test_an_interval_ends_where_its_figure_can_t_go() -> None:
    wide = Summary(3, 0.5, 0.7, (-1.2, 2.2))
    assert summary_text(wide, ".1f", share=False) == "0.5 ± 0.7 (0.0 to 2.2)"
    assert summary_text(wide, ".1f", share=True) == "0.5 ± 0.7 (0.0 to 1.0)"
    rows = [
        a_row(method, seed, accuracy=0.8 + gain)
        for seed, own in enumerate((0.1, 0.1, -0.1))
        for method, gain in (("zo-darts++", own), ("random", 0.0))
    ]
    (told,) = [
        line
        for line in contrast_table(contrasts(rows, "zo-darts++")).rows
        if line[2] == "share dominated, by parameters"
    ]
    assert told[4:6] == ("-0.3333", "-1.0000 to +1.0000")  # t: 2.87 each way


def test_the_images_of_a_search_are_told_where_they_are_a_part() -> None:
    settings = {"epochs": 2, "trial_epochs": 1}
    assert search_words(settings) == ["2 search epochs", "1 epoch of trials"]
    part = settings | {"search_images": 1000}
    assert search_words(part)[0] == "2 search epochs on about 1,000 images"


def test_the_terminal_shows_a_table_a_question(golden: Golden) -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, width=160, color_system=None, highlight=False)
    console.print(comparison_renderable(a_comparison(), Path("exports/compare")))
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    golden("comparison.txt", "\n".join(lines) + "\n")


def test_the_folder_has_markdown_and_csv(tmp_path: Path, golden: Golden) -> None:
    write_tables(a_comparison(), tmp_path)
    for name in ("tables.md", "tables.csv", "rows.csv"):
        golden(f"comparison-{name}", (tmp_path / name).read_text(encoding="utf-8"))


def test_the_overview_is_a_table_a_budget(golden: Golden) -> None:
    parts = [table.markdown() for table in overview_tables(a_grid())]
    golden("comparison-overview.md", "\n\n".join(parts) + "\n")


def test_the_overview_of_differences_is_a_row_a_method() -> None:
    rows = [
        replace(row, latency_undisturbed_ms=None)
        if (row.dataset, row.method, row.seed) == ("breastmnist", "random", 2)
        else row
        for row in [*a_grid(), *a_grid(dataset="breastmnist")]
    ]
    two = [
        a_row("milenas", seed, profile=rows[0].profile, accuracy=0.7) for seed in (0, 1)
    ]
    found = contrasts([*rows, *two], "zo-darts++")
    table = contrast_overview(found)
    assert table.title == "Differences from zo-darts++"
    cells = {
        line[0]: dict(zip(table.headings, line, strict=True)) for line in table.rows
    }
    pooled = {(one.method, one.figure): one for one in found if one.pooled}
    assert cells.keys() == {method for method, _ in pooled}
    random = cells["random"]
    assert (random["data"], random["pairs"]) == ("all", "6")
    assert random["test accuracy"].endswith(" *")
    assert "(" not in random["test accuracy"]  # all differ by as much
    summary = pooled["random", "parameters"].difference.summary
    assert random["parameters"].startswith(f"{summary.mean:+,.0f}")
    assert random["latency here, undisturbed, ms"].endswith(", n = 5")
    milenas = cells["milenas"]
    assert (milenas["data"], milenas["pairs"]) == ("digits", "2")
    assert "(" not in milenas["test accuracy"]  # so few pairs have no interval
    assert contrast_overview([]).rows == ()


def test_the_overview_of_fronts_is_a_row_a_method() -> None:
    found = fronts([*a_grid(), *a_grid(dataset="breastmnist")])
    table = front_overview(found)
    assert table.headings[1:] == (
        *("digits, parameters", "digits, latency"),
        *("breastmnist, parameters", "breastmnist, latency"),
    )
    for line in table.rows:
        own = [one for one in found if one.method == line[0]]
        assert len(own) == len(line) - 1
        for one, cell in zip(own, line[1:], strict=True):
            assert one.by_seed is not None
            assert cell.startswith(f"{one.by_seed.mean:.3f}")
            assert cell.endswith(f"n = {one.by_seed.count}")


def test_csv_gives_back_every_figure(tmp_path: Path) -> None:
    write_tables(a_comparison(), tmp_path)
    with (tmp_path / "tables.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    found = findings(a_grid())
    assert len(lines) == len(found)
    for line, one in zip(lines, found, strict=True):
        assert float(line["mean"]) == one.summary.mean


def test_one_network_has_no_interval() -> None:
    (table,) = overview_tables([a_row()])
    assert table.rows == (
        ("zo-darts++", "0.900", "0.950", "900", "900,000", "100", "50", "0.075"),
    )


def test_a_word_can_not_break_a_table() -> None:
    text = Table("a\nb", ("x", "y"), (("p|q\\", "1"),)).markdown()
    assert text == "**a?b**\n\n| x | y |\n|---|--:|\n| p\\|q\\\\ | 1 |"


def some_pictures() -> Pictures:
    rng = np.random.default_rng(0)
    op = rng.dirichlet(np.ones(5), (4, 3, 6))
    return Pictures(
        scatters=(
            Scatter(
                "digits",
                "parameters",
                (
                    Cloud("a", ((900.0, 0.9), (800.0, 0.85)), ((800.0, 0.85),)),
                    Cloud(r"b$\frac$", ((11_000.0, 0.7),), ((11_000.0, 0.7),)),
                ),
                (1000,),
            ),
        ),
        courses=(Course("digits-a-seed0", (1, 2, 3, 4), op, 2),),
        sizes=(
            Sizes("digits", "pi", 500, 1000, (Sampled("a", (700,)), Sampled("b", ()))),
        ),
    )


def test_every_plot_is_a_png_and_an_svg_with_the_same_bytes_each_time(
    tmp_path: Path,
) -> None:
    first = draw(some_pictures(), tmp_path / "one")
    again = draw(some_pictures(), tmp_path / "two")
    assert [file.name for file in first] == [
        f"{name}.{ending}"
        for name in (
            "accuracy-parameters-digits",
            "sizes-digits-pi",
            "probabilities-digits-a-seed0",
        )
        for ending in ("png", "svg")
    ]
    for one, other in zip(first, again, strict=True):
        content = one.read_bytes()
        assert content == other.read_bytes()
        begin = b"\x89PNG" if one.suffix == ".png" else b"<?xml"
        assert content.startswith(begin)


def test_a_level_is_called_by_its_band_on_each_data_set() -> None:
    rows = [
        a_row(dataset=dataset, profile="small", budget=budget)
        for dataset, budget in (("breastmnist", 221_486), ("pneumoniamnist", 331_656))
    ]
    titles = [table.title for table in overview_tables(rows)]
    assert titles == [
        "breastmnist, at most 221,486 parameters, 1 seed",
        "pneumoniamnist, at most 331,656 parameters, 1 seed",
    ]
    first, *_ = question_tables(rows)
    assert first.headings == ("method", "at most 221,486")


def test_networks_that_fail_their_profile_are_named(tmp_path: Path) -> None:
    first, *rest = a_grid()
    found = replace(a_comparison(), rows=(replace(first, verdict="fail"), *rest))
    write_tables(found, tmp_path)
    assert (
        "\n\nThese fail what their own profile asks for (report.json says what):"
        f" {first.run}.\n"
    ) in (tmp_path / "tables.md").read_text(encoding="utf-8")
