"""The verdict for a reader: the same figures as ``report.json``, in words and tables.

Every figure has its unit, accuracy and AUC their interval, and a limit that was not
measured on the profile's device says so in a sentence: a table alone is read as a pass.
Only ASCII is written, and rich replaces its lines where a terminal can't show them.
"""

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.device.local import LOCAL
from zonas_edge.figures import count, digits, scientific, share
from zonas_edge.metrics import FEWEST_IN_A_CLASS
from zonas_edge.report.beside import accepted_on, beside_table, holds_for
from zonas_edge.report.words import latency_source, plain
from zonas_edge.validate import Limit, ValidationReport

NOT_CLINICAL = "Not for clinical use without validation."
UNITS = {
    "parameters": "",
    "min_parameters": "",
    "latency_p95_ms": " ms",
    "model_kb": " KiB",
}
STYLES = {"pass": "green", "fail": "bold red", "unverified": "yellow"}
MIB = 2**20


def report_text(
    report: ValidationReport, width: int = 80, encoding: str = "utf-8"
) -> str:
    """The report as plain text without colours.

    Args:
        report: the verdict.
        width: columns, >= 60.
        encoding: what the reader's side can show; other characters become ``?``.
    """
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding, errors="replace", newline="\n") as file:
        console = Console(
            file=file, width=width, color_system=None, force_terminal=False
        )
        console.print(report_renderable(report))
        file.flush()
        text = buffer.getvalue().decode(encoding)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def report_renderable(report: ValidationReport) -> RenderableType:
    """The report for a rich console."""
    return Group(
        _headline(report),
        _limits(report),
        *(Text(sentence) for sentence in _still_to_do(report)),
        _sentences(report),
        *_int8(report),
        _classes(report),
        Text(NOT_CLINICAL),
    )


def _headline(report: ValidationReport) -> Text:
    name = plain(str(report.dataset.get("name", "")))
    run, profile = plain(report.run), plain(report.profile)
    run += "" if report.beside is None else ", INT8"
    subject = f"{run}: {name} on {profile}: " if name else f"{run}: {profile}: "
    verdict = Text(report.verdict.upper(), style=STYLES[report.verdict])
    return Text.assemble(subject, verdict)


def _limits(report: ValidationReport) -> Table:
    """Limits, then gates: allowed beside measured, and the verdict of each."""
    table = Table("limit")
    table.add_column("allowed", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("verdict")
    for limit in report.limits:
        sign = ">=" if limit.name == "min_parameters" else "<="
        allowed = f"{sign} {_quantity(limit, limit.allowed)}"
        measured = _quantity(limit, limit.measured, beside=limit.allowed)
        table.add_row(
            limit.name,
            allowed,
            measured,
            Text(limit.verdict, style=STYLES[limit.verdict]),
        )
    for gate in report.acceptance:
        verdict = "pass" if gate.passed else "fail"
        table.add_row(
            Text(plain(gate.name)),
            f">= {digits(gate.required)}",
            "-" if gate.measured is None else digits(gate.measured, gate.required),
            Text(verdict, style=STYLES[verdict]),
        )
    return table


def _quantity(limit: Limit, value: float | None, *, beside: float | None = None) -> str:
    """A value with its unit; precise enough to tell it from the limit beside it."""
    if value is None:
        return "-"
    if isinstance(value, int) or limit.name in {"parameters", "min_parameters"}:
        return f"{value:,.0f}{UNITS.get(limit.name, '')}"
    return f"{digits(value, beside)}{UNITS.get(limit.name, '')}"


def _still_to_do(report: ValidationReport) -> Iterator[str]:
    """What no machine has measured yet, and how it could be."""
    host = report.latency_host
    if not host.has_device:
        yield (
            f"{plain(report.profile)} is a constraint level, so there is no device to"
            " verify on: its limits are on the parameters alone."
        )
    if host.is_stranger:
        open_ones = ", ".join([*(limit.name for limit in report.unverified), "parity"])
        yield (
            f"Still to measure on the device: {open_ones}. {plain(host.cpu_model)}"
            f" ({host.machine}) is not the profile's device;"
            " measure there with --target ssh://HOST or --target bundle."
        )


def _sentences(report: ValidationReport) -> Table:
    """The figures with their names in a column of their own."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, sentence in (*_checks(report), *_figures(report)):
        grid.add_row(name, Text(sentence))
    return grid


def _checks(report: ValidationReport) -> Iterator[tuple[str, str]]:
    """Parity and file format: passed or not, with the figures that say so."""
    parity, file = report.parity, report.compatibility
    yield (
        "Parity",
        (
            f"{'pass' if parity.passed else 'FAIL'}: largest difference of a"
            f" probability {scientific(parity.max_abs_dp, parity.tolerance)}"
            f" (at most {parity.tolerance:.0e}),"
            f" {parity.decisions_changed} of {parity.images:,} decisions changed,"
            f" {parity.near_ties} near-ties"
        ),
    )
    yield (
        "File",
        (
            f"{'pass' if file.passed else 'FAIL'}: opset {file.opset} (at most"
            f" {file.max_opset}), IR {file.ir} (at most {file.max_ir})"
        ),
    )


def _figures(report: ValidationReport) -> Iterator[tuple[str, str]]:
    """Name and sentence of everything measured, each with what it holds for."""
    low, high = report.accuracy_ci95
    yield (
        "Accuracy",
        (
            f"{share(report.accuracy)} (95 %: {share(low)} to {share(high)}, Wilson) on"
            f" {report.test_images:,} test images, opened {report.test_openings}x"
        ),
    )
    for note in report.notes:
        yield "", f"but {plain(note)}"
    yield "AUC", f"{share(report.auc)} ({_auc_interval(report)})"
    yield (
        "Size",
        (
            f"{report.parameters:,} parameters, {report.macs:,} MACs,"
            f" {report.model_bytes:,} bytes"
        ),
    )
    yield "Latency", _latency(report)
    if report.estimate_ms is not None:
        yield _expected(report.estimate_ms, report.estimate_source)
    peak = report.memory.peak_bytes
    if peak is not None:
        yield "Memory", f"{peak / MIB:,.1f} MiB peak, with Python and the runtime"


def _auc_interval(report: ValidationReport) -> str:
    """The interval of the AUC, or why there is none."""
    if report.auc_ci95 is not None:
        low, high = report.auc_ci95
        return f"95 %: {share(low)} to {share(high)}, bootstrap"
    fewest = min(figures.support for figures in report.per_class.values())
    if fewest < FEWEST_IN_A_CLASS:
        return f"a class has {count(fewest, 'image')}, too few for an interval"
    return "the same in every resample, so a bootstrap gives no interval"


def _int8(report: ValidationReport) -> Iterator[RenderableType]:
    """Of an INT8 file: the float file beside it."""
    beside = report.beside
    if beside is None:
        return
    sizes = (beside.float32_bytes, report.model_bytes)
    yield beside_table(sizes, beside.test, beside.speed)
    here = report.latency_host
    version = report.environment.machine.onnxruntime
    if (beside.speed.host, beside.speed.onnxruntime) == (here, version):
        yield Text(holds_for(here, version, report.latency_ms.threads))
    else:
        yield Text(accepted_on(beside.speed))


def _expected(milliseconds: float, source: str) -> tuple[str, str]:
    """What was expected of the profile's device, under a name that is not latency."""
    what = f"p95 {milliseconds:.3f} ms on the profile's device"
    if source == "fitted":
        return "Predicted", f"{what} ({latency_source(source)}; decides nothing)"
    return "Estimate", f"{what} (analytic, decides nothing)"


def _latency(report: ValidationReport) -> str:
    """Latency of the machine that measured, named, and whether it counts."""
    taken, host = report.latency_ms, report.latency_host
    own = "the profile's device"
    if not host.has_device:
        own = "of no device of a profile"
    elif not host.is_profile_device:
        own = f"not {own}"
    elif host.any_processor:
        own = f"taken for {own}, since the profile names no processor"
    way = "" if host.target == LOCAL else f" by {plain(host.target)}"
    return (
        f"p50 {taken.p50:.3f}, p90 {taken.p90:.3f}, p95 {taken.p95:.3f},"
        f" p99 {taken.p99:.3f}, max {taken.max:.3f}, mean {taken.mean:.3f} ms\n"
        f"{taken.runs:,} runs on {plain(host.cpu_model)} ({host.machine}){way},"
        f" {own}\n"
        f"{_state(report)}"
        f"{count(taken.threads, 'thread')}, ONNX Runtime"
        f" {report.environment.machine.onnxruntime}; first inference"
        f" {taken.first_inference:.3f} ms, loading {taken.session_seconds:.3f} s"
    )


def _state(report: ValidationReport) -> str:
    """A line on what the machine was set to and when, as far as it tells; or ''."""
    machine = report.environment.machine
    told = [
        None if machine.governor is None else f"governor {machine.governor}",
        None if machine.max_mhz is None else f"at most {machine.max_mhz:,} MHz",
        None if machine.power_mode is None else f"power mode {machine.power_mode}",
        None if machine.temperature_c is None else f"{machine.temperature_c:.0f} C",
        None if machine.time is None else f"{machine.time} by its clock",
    ]
    known = [plain(words) for words in told if words is not None]
    return f"{', '.join(known)}\n" if known else ""


def _classes(report: ValidationReport) -> Table:
    """Sensitivity and specificity of each class, with what they may be."""
    table = Table("class")
    for name in ("sensitivity (95 %)", "specificity (95 %)", "test images"):
        table.add_column(name, justify="right")
    for name in report.class_names:
        figures = report.per_class[name]
        table.add_row(
            Text(plain(name)),
            _share_within(figures.sensitivity, figures.sensitivity_ci95),
            _share_within(figures.specificity, figures.specificity_ci95),
            f"{figures.support:,}",
        )
    return table


def _share_within(value: float | None, interval: tuple[float, float] | None) -> str:
    """A share and its interval; a report from before it was told has none."""
    if value is None:
        return "-"
    if interval is None:
        return share(value)
    low, high = interval
    return f"{share(value)} ({share(low)} to {share(high)})"
