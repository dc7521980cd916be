"""Device profiles for a reader: the list, and one of them whole."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.figures import count
from zonas_edge.profile import (
    BANDS,
    DeviceProfile,
    FittedLatency,
    Level,
)
from zonas_edge.report.words import plain

_UNITS = {
    "parameters": "weights",
    "min_parameters": "weights",
    "latency_p95_ms": "ms at batch 1",
    "model_kb": "x 1,024 bytes",
    "gflops": "x 10^9 operations/s",
    "gbps": "x 10^9 bytes/s",
    "overhead_us": "us per operator",
}


def profile_table(profiles: Iterable[DeviceProfile]) -> RenderableType:
    """One line a profile: its device and its budget."""
    table = Table(box=None, pad_edge=False)
    table.add_column("profile", no_wrap=True)  # it is what one types
    table.add_column("device", overflow="fold")
    for heading in ("parameters", "p95 ms", "model KiB", "threads"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("onnxruntime", overflow="fold")
    for profile in profiles:
        budget = profile.budget
        table.add_row(
            Text(plain(profile.name)),
            Text(plain(profile.board[0].name)),
            _figure(budget.parameters),
            _figure(budget.latency_p95_ms),
            _figure(budget.model_kb),
            _figure(profile.runtime.threads),
            Text(plain(profile.runtime.onnxruntime)),
        )
    return table


def profile_renderable(profile: DeviceProfile) -> RenderableType:
    """Every key of a profile that has a value, by section."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    data = profile.to_dict()
    heading = f"{data.pop('name')} ({data.pop('path')})"
    del data["fitted"]  # a table of numbers; its sentence says what they are
    for section, keys in data.items():
        for key, value in keys.items():
            if value not in (None, "", [], {}):
                text = f"{_shown(value)} {_UNITS.get(key, '')}".rstrip()
                table.add_row(f"{section}.{key}", Text(plain(text)))
    table.add_row("latency", Text(plain(latency_sentence(profile.fitted))))
    return Group(Text(plain(heading), style="bold"), table)


def level_table(levels: Iterable[Level]) -> RenderableType:
    """One line a constraint level, whose bounds depend on the data set."""
    table = Table(box=None, pad_edge=False)
    table.add_column("constraint level", no_wrap=True)
    for heading in ("device", "parameters"):
        table.add_column(heading, overflow="fold")
    for level in levels:
        bands = f"the {level.name} of three published bands of {len(BANDS)} data sets"
        table.add_row(level.name, "none", bands)
    return table


def level_renderable(level: Level) -> RenderableType:
    """The band of every set that has one."""
    table = Table(box=None, pad_edge=False)
    table.add_column("dataset")
    for heading in ("parameters from", "to", "published from", "to"):
        table.add_column(heading, justify="right")
    for dataset in BANDS:
        budget, (low, high) = level.budget(dataset), level.band(dataset)
        table.add_row(
            dataset,
            _figure(budget.min_parameters),
            _figure(budget.parameters),
            f"{low:,.1f}",
            f"{high:,.1f}",
        )
    return Group(
        Text(f"{level.name} (a constraint level)", style="bold"),
        Text(
            "Bounds on the deployed parameters, in place of a profile: no device, no"
            " limit on latency or size."
        ),
        Text("Published bands are in another count, and moved by the difference."),
        table,
    )


def latency_sentence(fitted: FittedLatency | None) -> str:
    """Where the latencies of a search come from, and how good they are."""
    if fitted is None:
        return "an estimate from [compute]; nothing was measured"
    channels, height, width = fitted.image
    error = fitted.error
    return (
        f"fitted on {fitted.networks} networks measured on {fitted.cpu_model},"
        f" onnxruntime {fitted.onnxruntime}, {count(fitted.threads, 'thread')},"
        f" {fitted.date}, for {channels}x{height}x{width} images and"
        f" {fitted.classes} classes; of {error.networks} networks it had not seen"
        f" {error.within_10_percent:.0%} were within 10 %"
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{key} {item}" for key, item in value.items())
    return _figure(value) if isinstance(value, int | float) else str(value)
