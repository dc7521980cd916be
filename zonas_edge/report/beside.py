"""An INT8 file and its float file side by side, and what that holds for."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from zonas_edge.figures import count, digits, share
from zonas_edge.report.words import plain
from zonas_edge.validate import Changed, LatencyHost, Speed


def beside_table(
    sizes: tuple[int, int], found: Changed | None, speed: Speed | None
) -> Table:
    """Size, accuracy, sensitivity, decisions and latency of both, where known.

    Args:
        sizes: bytes of the float file and of the INT8 file.
        found: decisions of both on one split, or None.
        speed: both timed in turn, or None.
    """
    table = Table("INT8 beside float32")
    for name in ("float32", "INT8"):
        table.add_column(name, justify="right")
    before, after = sizes
    table.add_row("size", f"{before:,} bytes", f"{after:,} bytes")
    for row in (*_decisions(found), *_times(speed)):
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def holds_for(host: LatencyHost, onnxruntime: str, threads: int) -> str:
    """The sentence that keeps INT8 figures from being read as everybody's."""
    return (
        f"INT8 holds for {_where(host, onnxruntime)}, {count(threads, 'thread')};"
        " measure it again with another version or processor."
    )


def accepted_on(speed: Speed) -> str:
    """Where INT8 was accepted, for a report on another machine."""
    return (
        f"INT8 was accepted on {_where(speed.host, speed.onnxruntime)}, where both were"
        " timed in turn: the latencies beside each other are of there. Whether it is"
        " worth it here, export --int8 with this --target tells."
    )


def _where(host: LatencyHost, onnxruntime: str) -> str:
    machine = f"{plain(host.cpu_model)} ({host.machine}){host.stranger}"
    return f"ONNX Runtime {onnxruntime} on {machine}"


def _decisions(found: Changed | None) -> Iterator[tuple[str, str, str]]:
    if found is None:
        return
    yield (
        f"{found.split} accuracy",
        share(found.float32_accuracy),
        share(found.accuracy),
    )
    name, drop = found.worst
    yield f"worst {found.split} sensitivity drop", "", f"{drop:+.3f} ({name})"
    yield (
        f"{found.split} decisions changed",
        "",
        f"{found.decisions:,} of {found.images:,}",
    )


def _times(speed: Speed | None) -> Iterator[tuple[str, str, str]]:
    if speed is None:
        return
    yield (
        "undisturbed latency",
        f"{digits(speed.float32_ms, speed.int8_ms)} ms",
        f"{digits(speed.int8_ms, speed.float32_ms)} ms",
    )
    yield (
        "p50, in turn",
        f"{speed.float32_p50_ms:.3f} ms",
        f"{speed.int8_p50_ms:.3f} ms",
    )
