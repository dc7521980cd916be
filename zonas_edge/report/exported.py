"""An export or a bundle for a reader: what was written, and what comes next."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.artifact import Run
from zonas_edge.device.bundle import Bundle
from zonas_edge.report.beside import beside_table, holds_for
from zonas_edge.report.words import plain
from zonas_edge.validate.trial import Trial


def exported_renderable(run: Run, summary: dict[str, Any]) -> RenderableType:
    """The files written, every figure of the summary, and the next command.

    Args:
        run: its folder.
        summary: what ``run.json`` keeps of the export.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, file in (
        ("model", run.model),
        ("golden vectors", run.golden),
        ("example", run.example),
    ):
        grid.add_row(name, Text(plain(str(file))))
    told = summary.get("int8")
    apart = ("int8", "environment")
    for name, value in _flat({k: v for k, v in summary.items() if k not in apart}):
        grid.add_row(name, Text(plain(value)))
    lines: list[RenderableType] = [] if told is None else [*_int8(run, told)]
    options = ["--int8"] if told is not None and told["accepted"] else []
    following = Text(f"next: {plain(run.command('validate', *options))}")
    return Group(grid, *lines, following)


def _int8(run: Run, told: dict[str, Any]) -> Iterator[RenderableType]:
    """What became of INT8, in a sentence, and both files side by side."""
    trial, calibration = Trial.from_dict(told), told["calibration"]
    if trial.accepted:
        yield Text(f"INT8: accepted, {plain(str(run.int8_model))}", style="green")
    else:
        yield Text(
            f"INT8: not accepted, the float file stays: {plain(str(trial.reason))}",
            style="yellow",
        )
    yield Text(
        f"calibrated on {calibration['images']:,} train images, seed"
        f" {calibration['seed']}: {plain(calibration['method'])},"
        f" {calibration['weight_bits']}-bit weights"
    )
    yield beside_table((trial.float32_bytes, trial.model_bytes), trial.val, trial.speed)
    if (speed := trial.speed) is not None:
        yield Text(holds_for(speed.host, speed.onnxruntime, speed.threads))


def bundle_renderable(bundle: Bundle) -> RenderableType:
    """What to carry to the device, what to do there, and what to bring back."""
    summary = bundle.summary()
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, text in (
        ("bundle", str(bundle.path)),
        ("on the device", f"in that folder: {summary['command']}"),
        ("bring back", summary["report"]),
    ):
        grid.add_row(name, Text(plain(text)))
    return grid


def bundle_command(bundle: Bundle) -> str:
    """What to do with its answer, in one line, so that it can be copied."""
    return f"then           {plain(bundle.then)}"


def _flat(summary: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in summary.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            rows += _flat(value, f"{name} ")
        else:
            rows.append((name, _shown(value)))
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) or "ai.onnx" for item in value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
