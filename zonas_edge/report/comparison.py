"""A comparison's results where a reader finds them: the terminal, and its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from zonas_edge.artifact import write_text
from zonas_edge.compare.findings import Contrast, Finding, contrasts, findings, fronts
from zonas_edge.compare.results import Comparison
from zonas_edge.compare.row import Row
from zonas_edge.figures import count
from zonas_edge.report.chance import against_chance
from zonas_edge.report.questions import (
    NOTES,
    contrast_table,
    failure_table,
    front_table,
    question_tables,
)
from zonas_edge.report.table import Table, csv_text
from zonas_edge.report.words import plain, short_commit


def _told(found: Comparison) -> tuple[list[Table], list[str]]:
    """Everything that a comparison has to say: its tables, and notes on them."""
    differences = contrasts(found.rows, found.reference)
    return _tables(found, differences), _notes(found, differences)


def _tables(found: Comparison, differences: Sequence[Contrast]) -> list[Table]:
    tables = [*question_tables(found.rows)]
    if differences:
        tables.append(contrast_table(differences))
    if found.rows:
        tables.append(front_table(fronts(found.rows)))
    if found.failures:
        tables.append(failure_table(found.failures))
    return tables


def _notes(found: Comparison, differences: Sequence[Contrast]) -> list[str]:
    """What the tables come to, and how they are to be read."""
    notes = [*NOTES]
    failing = dict.fromkeys(row.run for row in found.rows if row.verdict == "fail")
    if failing:
        notes.append(
            "These fail what their own profile asks for (report.json says what):"
            f" {', '.join(failing)}."
        )
    notes += [f"Not made alike: {text}." for text in found.mixed]
    notes.append(_made(found))
    verdict = against_chance(differences)
    return notes if verdict is None else [*notes, verdict]


def search_words(settings: Mapping[str, Any]) -> list[str]:
    """What the searches of a comparison were given, from its settings."""
    images = settings.get("search_images")
    tried = settings.get("trial_epochs", 0)  # older results had no trials
    return [
        count(settings["epochs"], "search epoch")
        + ("" if images is None else f" on about {images:,} images"),
        f"{count(tried, 'epoch')} of trials" if tried else "no trials",
    ]


def _made(found: Comparison) -> str:
    """What the figures hold for."""
    settings, environment = found.settings, found.environment
    machine = environment.get("cpu" if environment.get("device") == "cpu" else "device")
    words = [
        *(search_words(settings) if settings["search"] else []),
        count(settings["retrain_epochs"], "retraining epoch"),
        f"{machine or 'no machine'}, {count(settings['threads'], 'thread')}",
        *(
            f"{name} {environment[name]}"
            for name in ("torch", "onnxruntime")
            if name in environment
        ),
        f"commit {', '.join(map(short_commit, found.commits)) or 'unknown'}",
    ]
    return f"Made by {', '.join(words)}. {clock_words(found.clock)}"


def clock_words(clock: Mapping[str, str]) -> str:
    """What undisturbed latencies hold for."""
    return (
        f"Latency: all networks in turns, {clock['cpu']}, onnxruntime"
        f" {clock['onnxruntime']}, {clock['date']}, commit"
        f" {short_commit(clock['commit'])}."
    )


def comparison_renderable(found: Comparison, folder: Path) -> RenderableType:
    """Every table, what they come to, and where the files lie."""
    parts: list[RenderableType] = []
    tables, notes = _told(found)
    for table in tables:
        parts += [table.renderable(), Text("")]
    parts += [Text(note) for note in notes]
    parts.append(Text(plain(f"tables, rows and plots: {folder}")))
    return Group(*parts)


def write_tables(found: Comparison, folder: Path) -> None:
    """Write the tables as Markdown and CSV, and the rows as CSV.

    Raises:
        UsageError: the system refuses.
    """
    tables, notes = _told(found)
    parts = [table.markdown() for table in tables] + notes
    write_text(folder / "tables.md", "\n\n".join(parts) + "\n")
    columns = [field.name for field in fields(Row)]
    rows = [row.to_dict() for row in found.rows]
    write_text(
        folder / "rows.csv",
        csv_text(columns, ([row[name] for name in columns] for row in rows)),
    )
    write_text(folder / "tables.csv", _tidy(findings(found.rows)))


def _tidy(found: Sequence[Finding]) -> str:
    """A line a figure of a group."""
    group = ("dataset", "profile", "budget", "method")
    return csv_text(
        (*group, "figure", "count", "mean", "sd", "low", "high"),
        (
            (
                *(asdict(one.group)[name] for name in group),
                one.figure,
                one.summary.count,
                one.summary.mean,
                one.summary.sd,
                *(one.summary.interval or (None, None)),
            )
            for one in found
        ),
    )
