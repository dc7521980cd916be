"""Methods side by side, spreads and budgets: the README's section, and the details."""

import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from zonas_edge.compare.findings import Contrast, contrasts, fronts
from zonas_edge.compare.row import Row
from zonas_edge.compare.statistics import summarise
from zonas_edge.figures import count
from zonas_edge.learner import default_batch
from zonas_edge.report.chance import against_chance
from zonas_edge.report.comparison import clock_words, search_words
from zonas_edge.report.questions import (
    NOTES,
    contrast_overview,
    contrast_table,
    front_overview,
    front_table,
    overview_tables,
)
from zonas_edge.report.table import Table
from zonas_edge.report.words import short_commit
from zonas_edge.retrain import RetrainSettings
from zonas_edge.search.method import METHODS

Results = list[dict[str, Any]]


def comparison(result: dict[str, Any]) -> str:
    """One data set: its methods by budget, and where they were made."""
    rows = rows_of([result])
    counts = " / ".join(
        f"{result['dataset'][split]:,}" for split in ("train", "val", "test")
    )
    tables = [table.markdown() for table in overview_tables(rows)]
    return "\n\n".join([*tables, f"{counts} images; {_made(result)}"])


def _older_recipe(result: dict[str, Any]) -> str:
    """What else its networks were retrained by than the code's own recipe, or ''."""
    own = {one.name: one.default for one in fields(RetrainSettings)}
    apart = {
        name: value
        for name, value in result["settings"]["retrain"].items()
        # what has no default is another on every data set
        if own.get(name) not in {value, MISSING}
    }
    batch = result["settings"]["retrain"].get("batch_size")
    _, height, width = result["dataset"]["image"]
    usual = default_batch(result["dataset"]["train"], height * width)
    if batch not in {None, usual}:
        apart["batch"] = batch
    return ", ".join(f"{name} {value}" for name, value in apart.items())


def _made(result: dict[str, Any]) -> str:
    """What a comparison's figures hold for."""
    settings, environment = result["settings"], result["environment"]
    commits = ", ".join(map(short_commit, result["commits"]))
    where = environment["cpu"] if environment["device"] == "cpu" else ""
    epochs = [count(settings["retrain_epochs"], "retraining epoch")]
    if older := _older_recipe(result):
        epochs[0] += f" by an older recipe ({older})"
    methods = {row["method"] for row in result["rows"]}
    if any(METHODS[name].trained for name in methods.intersection(METHODS)):
        epochs = [*search_words(settings), *epochs]
    return (
        f"{', '.join(epochs)}; {where or environment['device']},"
        f" {_workers(settings['workers'])} of"
        f" {count(settings['threads'], 'thread')}, torch {environment['torch']},"
        f" onnxruntime {environment['onnxruntime']}, {result['date']},"
        f" commit {commits}. {result['note']}{_clocked(result)}".rstrip()
    )


def _clocked(result: dict[str, Any]) -> str:
    """What its latencies hold for; older results don't tell."""
    return "".join(
        f" {clock_words({'cpu': result['environment']['cpu']} | clock)}"
        for clock in result.get("clock", [])
    )


def _workers(told: int | list[int]) -> str:
    """How many there were; parts of a grid may have had different numbers."""
    if isinstance(told, int):
        return count(told, "worker")
    return f"{' or '.join(map(str, told))} workers"


def _of_one_method(result: dict[str, Any]) -> tuple[str, list[Row]]:
    """The method of all rows, and the rows.

    Raises:
        ValueError: there are several methods.
    """
    rows = rows_of([result])
    (method,) = {row.method for row in rows}
    return method, rows


def spread(result: dict[str, Any]) -> str:
    """One data set: how far apart many networks of one method are.

    Raises:
        ValueError: there are several methods.
    """
    method, rows = _of_one_method(result)
    lines = []
    for budget in sorted({row.budget for row in rows}):
        of_budget = [row for row in rows if row.budget == budget]
        for name, values in (
            ("test accuracy", [row.accuracy for row in of_budget]),
            ("test AUC", [row.auc for row in of_budget]),
        ):
            summary = summarise(values)
            lines.append(
                (
                    f"{budget:,}",
                    str(summary.count),
                    name,
                    f"{min(values):.3f}",
                    f"{summary.mean:.3f}",
                    "-" if summary.sd is None else f"{summary.sd:.3f}",
                    f"{max(values):.3f}",
                )
            )
    table = Table(
        f"Spread of {len(rows)} `{method}` networks, {rows[0].dataset}, clean:",
        ("budget", "networks", "figure", "smallest", "mean", "sd", "largest"),
        tuple(lines),
        left=0,
    )
    return f"{table.markdown()}\n\n{_made(result)}"


def penalty(result: dict[str, Any]) -> str:
    """One data set: where a method has come under each budget.

    Raises:
        ValueError: there are several methods.
    """
    method, rows = _of_one_method(result)
    lines = []
    for row in sorted(rows, key=lambda row: (row.budget, row.seed)):
        entered = row.inside_after_epochs
        lines.append(
            (
                f"{row.budget:,}",
                str(row.seed),
                f"{row.parameters:,}",
                "yes" if row.parameters <= row.budget else "no",
                "never" if entered is None else str(entered),
                "-" if row.alpha_updates is None else str(row.alpha_updates),
            )
        )
    table = Table(
        f"Budgets of `{method}`, {rows[0].dataset}:",
        (
            "parameters, at most",
            "seed",
            "the network's",
            "inside",
            "expected count inside after epoch",
            "steps of alpha",
        ),
        tuple(lines),
        left=0,
    )
    return f"{table.markdown()}\n\n{_made(result)}"


def noise(spreads: list[dict[str, Any]]) -> str:
    """How far apart networks are, and how far their test images could put equals.

    Both are standard deviations. The latter is an upper bound, that of drawing the
    images anew for each network: judged on the same ones, networks that find the same
    images easy differ by less.
    """
    told = []
    for result in spreads:
        method, rows = _of_one_method(result)
        images = result["dataset"]["test"]
        older = ", by an older recipe" if _older_recipe(result) else ""
        for budget in sorted({row.budget for row in rows}):
            found = summarise([row.accuracy for row in rows if row.budget == budget])
            chance = math.sqrt(found.mean * (1 - found.mean) / images)
            deviation = "-" if found.sd is None else f"{found.sd:.3f}"
            told.append(
                f"{rows[0].dataset} {deviation} ({chance:.3f}; {found.count}"
                f" `{method}` networks, at most {budget:,} parameters{older})"
            )
    return (
        "Standard deviation of test accuracy among networks, and in brackets the one"
        " that networks which are equally good would have at most on so many test"
        f" images: {', '.join(told)}. Two equally good ones easily differ by twice as"
        " much."
    )


@dataclass(frozen=True)
class _Alike:
    """What networks say together that were retrained by one recipe.

    Args:
        older: what else than the code's own recipe it was, or "".
        datasets: names.
        differences: from the reference of their results.
    """

    older: str
    datasets: tuple[str, ...]
    differences: tuple[Contrast, ...]

    def told(self, table: Callable[[Sequence[Contrast]], Table]) -> list[str]:
        """Its differences as a table, said to be apart where they are."""
        if not self.differences:
            return []
        text = [table(self.differences).markdown()]
        if not self.older:
            return text
        sets = ", ".join(self.datasets)
        return [f"By an older recipe ({self.older}), so apart: {sets}.", *text]


def _alike(results: Results) -> list[_Alike]:
    """The results by what may be pooled, those of today's recipe first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for result in results:
        key = (_older_recipe(result), result["reference"])
        groups.setdefault(key, []).extend(rows_of([result]))
    return [
        _Alike(
            older,
            tuple(dict.fromkeys(row.dataset for row in rows)),
            contrasts(rows, reference),
        )
        for (older, reference), rows in sorted(groups.items())
    ]


def comparisons(results: Results, spreads: Results) -> str:
    """What all data sets say together, and each of them."""
    if not results:
        return "Not measured yet."
    found = _alike(results)
    text = [
        said
        for one in found
        if not one.older and (said := against_chance(one.differences))
    ]
    if spreads:
        text.append(noise(spreads))
    text += [comparison(result) for result in results]
    for one in found:
        text += one.told(contrast_overview)
    text.append(front_overview(fronts(rows_of(results))).markdown())
    return "\n\n".join([*text, *NOTES, "An asterisk: the difference is shown."])


def details(results: Results, spreads: Results) -> str:
    """Every difference by data set, every front, the spread of single methods."""
    if not results:
        return "Not measured yet."
    text = [part for one in _alike(results) for part in one.told(contrast_table)]
    text.append(front_table(fronts(rows_of(results))).markdown())
    return "\n\n".join([*text, *NOTES, *map(spread, spreads)])


def rows_of(results: Results) -> list[Row]:
    """The networks of all results."""
    return [Row.from_dict(row) for result in results for row in result["rows"]]
