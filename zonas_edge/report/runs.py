"""Runs for a reader: the list, one run's summary, and what to type next.

A summary is made from the run's record alone, so that a run looks the same on the
machine it was copied to. What the record doesn't hold yet is left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.artifact import CHOOSING, SCHEMA, Run, network_chosen, read_json
from zonas_edge.blueprint import blueprint_from_json
from zonas_edge.errors import UsageError
from zonas_edge.figures import count, loss, share
from zonas_edge.pipeline.host import changes
from zonas_edge.pipeline.request import CONTINUED_UNDER
from zonas_edge.profile import Acceptance, Budget
from zonas_edge.report.words import latency_source, plain
from zonas_edge.search.method import METHODS
from zonas_edge.validate.values import SCHEMA as REPORT_SCHEMA
from zonas_edge.validate.verdict import gates_of, limits_of

STAGES = (*CHOOSING, "retrain", "export", "validate")


def run_summary(run: Run) -> dict[str, Any]:
    """What became of a run, as plain JSON values.

    Raises:
        UsageError: a file of the run is damaged.
    """
    record = run.read()
    done = record["stages"]
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "name": run.name,
        "path": str(run.path),
        **{
            key: record[key]
            for key in (
                "created",
                "stages",
                "request",
                "dataset",
                "environment",
                CONTINUED_UNDER,
                *CHOOSING,
                "search_settings",
                "retrain",
                "retrain_settings",
                "export",
                "refused",
                "refused_int8",
                "test_openings",
            )
            if key in record
        },
    }
    if network_chosen(done):
        summary["architecture"] = read_json(run.architecture, schema=None)
    if done.get("validate") == "finished":
        summary["verdict"] = _verdict(read_json(run.report, REPORT_SCHEMA), summary)
    if run.int8_report.is_file():
        summary["int8_verdict"] = _verdict(
            read_json(run.int8_report, REPORT_SCHEMA), summary
        )
    return summary


def listed(run: Run) -> dict[str, Any]:
    """A run's summary; of one that is damaged its name and what can't be read."""
    try:
        return run_summary(run)
    except UsageError as error:
        return {"schema": SCHEMA, "name": run.name, "damaged": str(error)}


def _verdict(report: dict[str, Any], summary: dict[str, Any]) -> str:
    """A report's verdict, and by what where that isn't the run's own profile."""
    verdict, judge = str(report.get("verdict")), report.get("profile")
    if judge is None:
        return verdict
    if judge != _profile_name(summary):
        return f"{verdict} by {plain(str(judge))}"
    try:
        found = list(_apart(report, summary))
    except (KeyError, TypeError, ValueError):  # damaged, which others tell of
        found = []
    return f"{verdict} by {' and '.join(found)}" if found else verdict


def _apart(report: dict[str, Any], summary: dict[str, Any]) -> Iterator[str]:
    """What a report was judged by that the run's own profile doesn't say.

    It may be another file of the same name, or gates of ``--gates``.
    """
    own = summary.get("request", {}).get("profile")
    if own is None:
        return
    limits = {one["name"]: one["allowed"] for one in report.get("limits", [])}
    if limits != limits_of(Budget.model_validate(own["budget"])):
        yield "other limits than the run's own"
    gates = {one["name"]: one["required"] for one in report.get("acceptance", [])}
    if gates != gates_of(Acceptance.model_validate(own["acceptance"])):
        yield "other gates than the run's own"


def run_table(runs: Iterable[Run]) -> RenderableType:
    """One line a run, in the order given."""
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "profile", "dataset", "seed", "parameters", "state"):
        right = heading in {"seed", "parameters"}
        table.add_column(heading, justify="right" if right else "left")
    for run in runs:
        summary = listed(run)
        if "damaged" in summary:
            told = _damage(run, summary["damaged"])
            table.add_row(Text(plain(run.name)), "-", "-", "-", "-", told)
            continue
        table.add_row(
            Text(plain(run.name)),
            Text(plain(_profile_name(summary))),
            Text(plain(str(summary.get("dataset", {}).get("name", "-")))),
            _seeds(summary),
            _count(_choice(summary).get("parameters")),
            Text(state_of(summary)),
        )
    return table


def _damage(run: Run, message: str) -> Text:
    """What of a run can't be read, without the folder that is named beside it."""
    told = message.replace(f"{run.path}/", "")
    return Text(f"damaged: {plain(told)}", style="red")


def state_of(summary: dict[str, Any]) -> str:
    """How far a run has come: ``validated: pass``, ``retrain unfinished``."""
    if "verdict" in summary:
        since = ", refused since" if "refused" in summary else ""
        return f"validated: {summary['verdict']}{since}"
    stages = summary["stages"]
    reached = [stage for stage in STAGES if stage in stages]
    return f"{reached[-1]} {stages[reached[-1]]}" if reached else "empty"


def run_renderable(run: Run) -> RenderableType:
    """A run's summary, with the network in words and the next command.

    Args:
        run: its folder.

    Raises:
        UsageError: a file of the run is damaged.
    """
    summary = run_summary(run)
    try:
        rows = list(_rows(summary))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{run.record}: damaged ({type(error).__name__}: {error})",
            "restore the file, or begin a new run",
        ) from None
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, text in rows:
        grid.add_row(name, Text(plain_lines(text)))
    following = next_command(run, summary)
    return Group(grid, Text(f"next: {plain(following)}")) if following else grid


def next_command(run: Run, summary: dict[str, Any]) -> str | None:
    """The command that goes on from here, or None behind the last."""
    stages = summary["stages"]
    if not network_chosen(stages):
        return None  # only the options that it was begun with go on with it
    names = ("retrain", "export", "validate")
    todo = [name for name in names if stages.get(name) != "finished"]
    if not todo:
        return None
    begun = todo[0] == "retrain" and stages.get("retrain") == "started"
    return run.command(todo[0], *(["--resume"] if begun else []))


def plain_lines(text: str) -> str:
    """A text of our own lines, each without control characters."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _seeds(summary: dict[str, Any]) -> str:
    """The seed, and that of a later retraining where it is another."""
    latest = summary.get("request", {}).get("seed", "-")
    first = summary.get("search_settings", {}).get("seed", latest)
    return f"{latest}" if first == latest else f"{first}, retrained {latest}"


def _rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", summary["path"]
    yield "state", state_of(summary)
    yield "profile", _profile_name(summary)
    yield "seed", _seeds(summary)
    if "dataset" in summary:
        yield "data", _data(summary["dataset"])
    if "architecture" in summary:
        yield "network", blueprint_from_json(summary["architecture"]).summary()
    if choice := _choice(summary):
        yield from _cost_rows(choice, _budget(summary))
    if "search" in summary:
        method = summary["request"]["method"]
        yield from _search_rows(summary["search"], method)
    if "retrain" in summary:
        best = summary["retrain"]
        yield (
            "retraining",
            (
                f"val accuracy {share(best['val_accuracy'])},"
                f" val loss {best['val_loss']:.3f},"
                f" epoch {best['epoch']} of {best['epochs']}"
            ),
        )
    for later in summary.get(CONTINUED_UNDER, []):
        told = changes(summary["environment"], later)
        yield "gone on with", ", ".join(told) or "as it was begun"
    yield from _device_rows(summary)


def _device_rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What devices have refused, and what became of INT8."""
    for heading, key in (("refused", "refused"), ("INT8 refused", "refused_int8")):
        if refused := summary.get(key):
            where = f"by {refused['target']}, {refused['time']}"
            yield heading, f"{refused['message']} ({where})"
    if told := summary.get("export", {}).get("int8"):
        yield "INT8", _int8(told, summary.get("int8_verdict"))


def _int8(told: dict[str, Any], verdict: str | None) -> str:
    """What became of INT8, and of its validation."""
    if not told["accepted"]:
        return f"not accepted: {told['reason']}"
    return f"accepted, {'not validated yet' if verdict is None else verdict}"


def _choice(summary: dict[str, Any]) -> dict[str, Any]:
    """What the record tells of the network, whichever way it was come by."""
    records = (summary.get(stage) for stage in CHOOSING)
    return next((found for found in records if found is not None), {})


def _progress(found: dict[str, Any], *, decides: bool) -> str:
    """How long was searched, and what came of it."""
    epochs = count(found["epochs"], "epoch")
    if found["epochs"] and "images" in found:
        epochs += f" on {found['images']:,} train images"
    if not decides:
        return f"uniform draws, weights trained for {epochs}"
    return (
        f"{epochs}, {count(found['alpha_updates'], 'alpha update')},"
        f" {'converged' if found['converged'] else 'not converged'}"
        f" (mean maximum {found['mean_maximum']:.2f},"
        f" entropy {found['mean_entropy']:.2f})"
    )


def _cost_rows(
    found: dict[str, Any], budget: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """What the network costs, beside what the budget allows."""
    least, most = budget.get("min_parameters"), budget.get("parameters")
    allowed = _count(most) if least is None else f"{least:,} to {_count(most)}"
    exceeded = most is not None and found["parameters"] > most
    yield (
        "parameters",
        (
            f"{found['parameters']:,} of {allowed}"
            f"{' (exceeded)' if exceeded else ''}, {found['macs']:,} MACs"
        ),
    )
    latency = found["estimated_latency_ms"]
    if latency is None:
        yield "latency", "no limit, and no device to estimate it for"
        return
    limit = budget.get("latency_p95_ms")
    yield (
        "latency",
        (
            f"p95 {latency['p95']:.3f} ms of"
            f" {'no limit' if limit is None else f'{limit:,.10g} ms'}"
            f" ({latency_source(latency['source'])})"
        ),
    )


def _search_rows(found: dict[str, Any], method: str) -> Iterator[tuple[str, str]]:
    yield "search", f"{method}: {_progress(found, decides=METHODS[method].decides)}"
    spread = found["ranking_loss"]
    ranked = (
        f"{count(found['ranked'], 'network')} ranked,"
        f" val loss {loss(spread['best'])} to {loss(spread['worst'])}"
        if found["ranked"]
        else "the first network that fits, not ranked"
    )
    repaired = ", made to fit the budget" if found["repaired"] else ""
    yield "selection", f"{ranked}{repaired}"
    if tried := found["trials"]["trials"]:
        yield "trials", _trials(found["trials"], tried)


def _trials(found: dict[str, Any], tried: int) -> str:
    """Who has won the short trainings, and by what."""
    return (
        f"{found['entrants']} networks in {tried} short trainings; the winner (number"
        f" {found['winner'] + 1} of the selection): val loss {loss(found['val_loss'])},"
        f" val accuracy {share(found['val_accuracy'])} after"
        f" {count(found['steps'], 'step')}"
    )


def _data(dataset: dict[str, Any]) -> str:
    channels, height, width = dataset["image"]
    return (
        f"{dataset['name']}: {height}x{width} {'gray' if channels == 1 else 'RGB'},"
        f" {len(dataset['class_names'])} classes, {dataset['train']:,} train,"
        f" {dataset['val']:,} val, {dataset['test']:,} test images"
    )


def _budget(summary: dict[str, Any]) -> dict[str, Any]:
    budget: dict[str, Any] = (
        summary.get("request", {}).get("profile", {}).get("budget", {})
    )
    return budget


def _profile_name(summary: dict[str, Any]) -> str:
    return str(summary.get("request", {}).get("profile", {}).get("name", "-"))


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
