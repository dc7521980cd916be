"""The tables of a comparison: one a question, the differences, the fronts."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from zonas_edge.compare.findings import (
    COVERAGES,
    Contrast,
    Cost,
    Coverage,
    Figure,
    Finding,
    Front,
    findings,
)
from zonas_edge.compare.row import Row
from zonas_edge.compare.statistics import FEWEST, Summary
from zonas_edge.figures import count
from zonas_edge.report.table import Table

QUESTIONS: dict[Figure, tuple[str, str]] = {
    "accuracy": ("test accuracy", ".3f"),
    "auc": ("test AUC", ".3f"),
    "accuracy_max_over_test_epochs": (
        "largest test accuracy over epochs (published protocol, not ours)",
        ".3f",
    ),
    "val_accuracy": ("val accuracy at the chosen epoch", ".3f"),
    "parameters": ("parameters", ",.0f"),
    "macs": ("MACs", ",.0f"),
    "search_seconds": ("search, ranking and trials, seconds", ",.0f"),
    "retrain_seconds": ("retraining, seconds", ",.0f"),
    "latency_undisturbed_ms": ("latency here, undisturbed, ms", ".3f"),
}
"""What is asked of a figure, and how it is written."""

_SHORT: dict[Figure, str] = {
    "accuracy": "test accuracy",
    "auc": "test AUC",
    "parameters": "parameters",
    "macs": "MACs",
    "search_seconds": "search s",
    "retrain_seconds": "retrain s",
    "latency_undisturbed_ms": "host latency, undisturbed, ms",
    "accuracy_max_over_test_epochs": "max over test epochs",
}
"""Columns of the overview."""

_SHARES: frozenset[Figure] = frozenset(
    {"accuracy", "auc", "accuracy_max_over_test_epochs", "val_accuracy"}
)

_COSTS: dict[Cost, str] = {
    "parameters": "parameters",
    "latency_undisturbed_ms": "latency",
}

_NAMES: dict[Figure | Coverage, str] = {
    **{figure: name for figure, (name, _) in QUESTIONS.items()},
    "dominated_by_parameters": "share dominated, by parameters",
    "dominated_by_latency": "share dominated, by latency",
}
"""Of all that methods are compared by."""

NOTES = (
    (
        "Mean ± standard deviation over the seeds, in brackets the 95 % interval of the"
        " mean (t-distribution, from three on). It is that of other seeds on the same"
        " test images; that other images would give other figures is not in it."
        " Accuracy and AUC are those of the clean protocol: the epoch is chosen on val,"
        " the exported file is measured on test once."
    ),
    (
        "A difference is the method's figure minus the reference's under the same data,"
        " budget and seed. A pair is one seed's mean over the budgets, since its"
        " networks aren't independent, and may be the same one. A network dominates"
        " another that is no more accurate on test and no smaller, or no faster, and"
        " not its equal in both; a share dominated is that of the other method's"
        " networks of the seed, and the difference is this share minus the one that the"
        " other dominates. p is the share of all patterns of the pairs' signs that"
        " bring the mean as far from zero. A difference counts as shown if its interval"
        " excludes zero and p is at most 0.05, which takes six pairs or more. Neither"
        " is corrected for the number of comparisons."
    ),
    (
        "The hypervolume is the share that a method's networks dominate of the"
        " rectangle around the set's networks that are inside their budgets, by"
        " parameters up to the largest budget: more is better, within one set and one"
        " cost. Where the rectangle ends decides how much accuracy counts against cost:"
        " by latency the slowest network dominates nothing, however accurate. Fronts"
        " are of the budgets and seeds that every method has, and of the best of these"
        " on test."
    ),
)


def question_tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    """Methods by budgets, one table a data set and question."""
    found = findings(rows)
    tables = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        label = labels(rows, dataset)
        for figure, (question, _) in QUESTIONS.items():
            own = [
                one
                for one in found
                if one.group.dataset == dataset and one.figure == figure
            ]
            if own:
                tables.append(_methods_by_budgets(f"{dataset}: {question}", own, label))
    return tuple(tables)


def labels(rows: Sequence[Row], dataset: str) -> dict[str, str]:
    """How a data set's profiles are called: by their budgets, if that says enough.

    A constraint level is another band on every set.
    """
    own = [row for row in rows if row.dataset == dataset]
    budgets = {row.profile: row.budget for row in own}
    least = {row.profile: row.min_parameters for row in own}
    words = {
        profile: f"{least[profile]:,} to {budget:,}"
        if least[profile]
        else f"at most {budget:,}"
        for profile, budget in budgets.items()
    }
    if len(set(words.values())) == len(words):
        return words
    return {profile: f"{profile}, {word}" for profile, word in words.items()}


def _methods_by_budgets(
    title: str, found: Sequence[Finding], label: dict[str, str]
) -> Table:
    cells = {(one.group.method, one.group.profile): one for one in found}
    methods = dict.fromkeys(method for method, _ in cells)
    profiles = list(dict.fromkeys(profile for _, profile in cells))
    seeds = max(one.summary.count for one in found)
    rows = tuple(
        (
            method,
            *(
                "-"
                if (one := cells.get((method, profile))) is None
                else told(one, seeds)
                for profile in profiles
            ),
        )
        for method in methods
    )
    return Table(
        f"{title}, {count(seeds, 'seed')}",
        ("method", *(label[profile] for profile in profiles)),
        rows,
    )


def told(found: Finding, seeds: int) -> str:
    """``0.912 ± 0.004 (0.902 to 0.922)``, with the count if it is not ``seeds``."""
    form = QUESTIONS[found.figure][1]
    text = summary_text(found.summary, form, share=found.figure in _SHARES)
    few = found.summary.count
    return text if few == seeds else f"{text}, n = {few}"


def summary_text(summary: Summary, form: str, *, share: bool) -> str:
    """Mean, deviation and interval in one format.

    Args:
        summary: of a figure; few values have no interval that is worth telling.
        form: of each number.
        share: whether the figure is no more than 1; none is less than 0.
    """
    text = _mean_and_sd(summary, form)
    if summary.interval is None or summary.count < FEWEST:
        return text
    low, high = summary.interval
    low = max(low, 0.0)
    if share:
        high = min(high, 1.0)
    return f"{text} ({low:{form}} to {high:{form}})"


def overview_tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    """Methods by questions, one table a data set and budget: for a document."""
    found = findings(rows)
    tables = []
    for dataset, profile in dict.fromkeys((row.dataset, row.profile) for row in rows):
        label = labels(rows, dataset)
        own = {
            (one.group.method, one.figure): one
            for one in found
            if (one.group.dataset, one.group.profile) == (dataset, profile)
        }
        figures = [name for name in _SHORT if any(key[1] == name for key in own)]
        methods = dict.fromkeys(method for method, _ in own)
        seeds = max(one.summary.count for one in own.values())
        lines = tuple(
            (method, *(_short(own.get((method, name)), seeds) for name in figures))
            for method in methods
        )
        title = f"{dataset}, {label[profile]} parameters, {count(seeds, 'seed')}"
        headings = ("method", *(_SHORT[name] for name in figures))
        tables.append(Table(title, headings, lines))
    return tuple(tables)


def _short(found: Finding | None, seeds: int) -> str:
    """With the interval where decisions are compared; else mean and deviation."""
    if found is None:
        return "-"
    if found.figure in {"accuracy", "auc"}:
        return told(found, seeds)
    return _mean_and_sd(found.summary, QUESTIONS[found.figure][1])


def _mean_and_sd(summary: Summary, form: str) -> str:
    if summary.sd is None:
        return f"{summary.mean:{form}}"
    return f"{summary.mean:{form}} ± {summary.sd:{form}}"


def contrast_table(found: Sequence[Contrast]) -> Table:
    """Each method against the reference."""
    sets = _sets(found)
    return Table(
        f"Differences from {found[0].reference}" if found else "Differences",
        ("method", "data", "figure", "pairs", "mean", "95 %", "p", ""),
        tuple(_contrast(one, sets) for one in found),
        left=3,
    )


def contrast_overview(found: Sequence[Contrast]) -> Table:
    """Methods by what they are compared by, over all pairs: for a document."""
    pooled = [one for one in found if one.pooled]
    sets = _sets(found)
    known = {(one.method, one.figure): one for one in pooled}
    figures = list(dict.fromkeys(one.figure for one in pooled))
    rows = []
    for method in dict.fromkeys(one.method for one in pooled):
        own = [known[key] for key in known if key[0] == method]
        pairs = own[0].difference.summary.count
        cells = (_brief(known.get((method, figure)), pairs) for figure in figures)
        rows.append((method, _data(own[0], sets), str(pairs), *cells))
    return Table(
        f"Differences from {pooled[0].reference}" if pooled else "Differences",
        ("method", "data", "pairs", *(_NAMES[figure] for figure in figures)),
        tuple(rows),
        left=2,
    )


def _brief(one: Contrast | None, pairs: int) -> str:
    """Mean and interval, with a mark if the difference is shown."""
    if one is None:
        return "-"
    summary = one.difference.summary
    form = _form(one)
    text = f"{summary.mean:{form}}"
    if summary.count >= FEWEST and (interval := interval_of(one)) is not None:
        text += f" ({_interval(interval, form)})"
    if one.difference.shown:
        text += " *"
    return text if summary.count == pairs else f"{text}, n = {summary.count}"


def name_of(one: Contrast) -> str:
    """What a difference is of, in words."""
    return _NAMES[one.figure]


def interval_of(one: Contrast) -> tuple[float, float] | None:
    """A difference's t-interval, as far as there can be such a difference."""
    found = one.difference.summary.interval
    if found is None or one.figure not in COVERAGES:
        return found
    return max(found[0], -1.0), min(found[1], 1.0)


def _contrast(one: Contrast, sets: AbstractSet[str]) -> tuple[str, ...]:
    form = _form(one)
    summary = one.difference.summary
    return (
        one.method,
        _data(one, sets),
        name_of(one),
        str(summary.count),
        f"{summary.mean:{form}}",
        _interval(interval_of(one), form),
        f"{one.difference.p_sign_flips:.3f}",
        _verdict(one),
    )


def _sets(found: Sequence[Contrast]) -> AbstractSet[str]:
    return {name for one in found for name in one.datasets}


def _data(one: Contrast, sets: AbstractSet[str]) -> str:
    """The data sets of a difference, among those of all that stand beside it."""
    return "all" if 1 < len(one.datasets) == len(sets) else ", ".join(one.datasets)


def _form(one: Contrast) -> str:
    return "+,.0f" if one.figure == "parameters" else "+.4f"


def _interval(interval: tuple[float, float] | None, form: str) -> str:
    return "-" if interval is None else f"{interval[0]:{form}} to {interval[1]:{form}}"


def _verdict(one: Contrast) -> str:
    if not one.difference.decidable:
        return "too few"
    return "shown" if one.difference.shown else "not shown"


def front_table(found: Sequence[Front]) -> Table:
    """What each method offers a device."""
    return Table(
        "Pareto fronts of test accuracy",
        (
            *("data", "against", "method", "networks"),
            *("on the front", "hypervolume", "by seed"),
        ),
        tuple(
            (
                one.dataset,
                _COSTS[one.cost],
                one.method,
                str(one.count),
                str(len(one.points)),
                "-" if one.hypervolume is None else f"{one.hypervolume:.3f}",
                "-" if one.by_seed is None else _by_seed(one.by_seed),
            )
            for one in found
        ),
        left=3,
    )


def front_overview(found: Sequence[Front]) -> Table:
    """Hypervolumes by seed, methods by data and cost: for a document."""
    columns = list(dict.fromkeys((one.dataset, one.cost) for one in found))
    known = {(one.method, one.dataset, one.cost): one.by_seed for one in found}
    return Table(
        "Hypervolume of a seed's networks: accuracy against a cost",
        (
            "method",
            *(f"{dataset}, {_COSTS[cost]}" for dataset, cost in columns),
        ),
        tuple(
            (
                method,
                *(
                    "-"
                    if (one := known.get((method, *column))) is None
                    # of few seeds, on one axis: the interval stands with the fronts
                    else f"{_mean_and_sd(one, '.3f')}, n = {one.count}"
                    for column in columns
                ),
            )
            for method in dict.fromkeys(one.method for one in found)
        ),
    )


def _by_seed(found: Summary) -> str:
    return f"{summary_text(found, '.3f', share=True)}, n = {found.count}"


def failure_table(failures: Sequence[dict[str, Any]]) -> Table:
    """Cells without a network, and why."""
    return Table(
        "Not made",
        ("run", "error"),
        tuple((one["run"], one["message"]) for one in failures),
        left=2,
    )
