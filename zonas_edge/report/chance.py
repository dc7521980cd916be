"""Whether a search is better than chance, in words.

A table of differences is easily read for what one hopes; so the questions that a search
must answer are answered in a sentence each, from the same figures: does it find better
networks, and does it reach the same accuracy with smaller or faster ones?
"""

from collections.abc import Iterable

from zonas_edge.compare.findings import COVERAGES, Contrast, Coverage, Figure
from zonas_edge.compare.statistics import FEWEST
from zonas_edge.figures import count
from zonas_edge.report.questions import interval_of, name_of
from zonas_edge.search.method import MethodName

_ASKED: dict[str, tuple[Figure | Coverage, ...]] = {
    "Better than chance?": ("accuracy", "auc"),
    "More for a device?": tuple(COVERAGES),
}
"""Questions, and the figures that answer them."""


def against_chance(found: Iterable[Contrast]) -> str | None:
    """The reference against `random`, over all data sets; None without such pairs.

    What counts as shown: ``compare.statistics.Difference``.
    """
    pooled = {
        one.figure: one
        for one in found
        if one.method == MethodName.RANDOM and one.pooled
    }
    sentences = []
    for question, figures in _ASKED.items():
        asked = [pooled[figure] for figure in figures if figure in pooled]
        if asked:
            pairs = asked[0].difference.summary.count
            told = "; ".join(_told(one, pairs) for one in asked)
            sentences.append(
                f"{question} {asked[0].reference} minus random,"
                f" {count(pairs, 'pair')}: {told}."
            )
    return " ".join(sentences) or None


def _told(one: Contrast, pairs: int) -> str:
    """The contrast is the method's minus the reference's; here it is turned round."""
    summary = one.difference.summary
    text = f"{name_of(one)} {-summary.mean:+.4f}"
    if summary.count != pairs:
        text += f" of {count(summary.count, 'pair')}"
    found = [f"p {one.difference.p_sign_flips:.3f}"]
    interval = interval_of(one)
    if interval is not None and summary.count >= FEWEST:
        found.insert(0, f"95 % {-interval[1]:+.4f} to {-interval[0]:+.4f}")
    text += f" ({', '.join(found)})"
    if not one.difference.decidable:
        return f"{text}, which so few pairs can't show"
    if not one.difference.shown:
        return f"{text}, not shown"
    return f"{text}, {'better' if summary.mean < 0 else 'worse'}"
