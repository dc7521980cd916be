"""Whether a search is better than chance, in words.

A table of differences is easily read for what one hopes; so the one question that a
search must answer is answered in a sentence too, from the same figures.
"""

from collections.abc import Iterable

from zonas_edge.compare.findings import Contrast, Figure
from zonas_edge.compare.statistics import FEWEST
from zonas_edge.report.questions import QUESTIONS
from zonas_edge.report.words import count
from zonas_edge.search.method import MethodName

_ASKED: tuple[Figure, ...] = ("accuracy", "auc")


def against_chance(found: Iterable[Contrast]) -> str | None:
    """The reference against `random`, over all data sets; None without such pairs.

    A difference counts as shown if the 95 % interval of its mean (t-distribution)
    excludes zero.
    """
    pooled = {
        one.figure: one
        for one in found
        if one.method == MethodName.RANDOM and one.dataset is None
    }
    asked = [pooled[figure] for figure in _ASKED if figure in pooled]
    if not asked:
        return None
    pairs = count(asked[0].difference.summary.count, "pair")
    told = "; ".join(map(_told, asked))
    return f"Better than chance? {asked[0].reference} minus random, {pairs}: {told}."


def _told(one: Contrast) -> str:
    """The contrast is the method's minus the reference's; here it is turned round."""
    summary = one.difference.summary
    text = f"{QUESTIONS[one.figure][0]} {-summary.mean:+.4f}"
    if summary.interval is None or summary.count < FEWEST:
        return f"{text}, which so few pairs can't show"
    low, high = -summary.interval[1], -summary.interval[0]
    verdict = "better" if low > 0 else "worse" if high < 0 else "not shown"
    return f"{text} (95 % {low:+.4f} to {high:+.4f}), {verdict}"
