"""The README's section on methods side by side."""

from typing import Any

from zonas_edge.compare.findings import contrasts, fronts
from zonas_edge.compare.row import Row
from zonas_edge.report.questions import (
    NOTES,
    contrast_table,
    front_table,
    overview_tables,
)


def comparison(result: dict[str, Any]) -> str:
    """One data set: its methods by budget, and where they were made."""
    rows = [Row.from_dict(row) for row in result["rows"]]
    counts = " / ".join(
        f"{result['dataset'][split]:,}" for split in ("train", "val", "test")
    )
    settings, environment = result["settings"], result["environment"]
    commits = ", ".join(commit[:10] for commit in result["commits"])
    tables = [table.markdown() for table in overview_tables(rows)]
    where = environment["cpu"] if environment["device"] == "cpu" else ""
    made = (
        f"{counts} images; {settings['epochs']} search epochs,"
        f" {settings['retrain_epochs']} retraining epochs;"
        f" {where or environment['device']}, {settings['workers']} workers of"
        f" {settings['threads']} thread, torch {environment['torch']},"
        f" onnxruntime {environment['onnxruntime']}, {result['date']},"
        f" commit {commits}."
    )
    return "\n\n".join([*tables, made])


def comparisons(results: list[dict[str, Any]]) -> str:
    """Every data set, and what all of them say together."""
    if not results:
        return "Not measured yet."
    rows = [Row.from_dict(row) for result in results for row in result["rows"]]
    text = [comparison(result) for result in results]
    references = dict.fromkeys(result["reference"] for result in results)
    text += [
        contrast_table(found).markdown()
        for reference in references
        if (found := contrasts(rows, reference))
    ]
    text.append(front_table(fronts(rows)).markdown())
    return "\n\n".join([*text, *NOTES])
