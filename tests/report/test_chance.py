"""One sentence on whether a search is better than chance."""

import pytest

from tests.compare.rows import a_row
from zonas_edge.compare.findings import contrasts
from zonas_edge.compare.row import Row
from zonas_edge.report.chance import against_chance
from zonas_edge.report.questions import contrast_table


def pairs(gains: list[float]) -> list[Row]:
    """A pair a seed: `random` at 0.8, the reference so much above it."""
    return [
        a_row(method, seed, accuracy=0.8 + gain)
        for seed, own in enumerate(gains)
        for method, gain in (("zo-darts++", own), ("random", 0.0))
    ]


def said(rows: list[Row]) -> str | None:
    return against_chance(contrasts(rows, "zo-darts++"))


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        # mean 0.02, t(2) 4.303 of 0.01 / sqrt(3): +-0.0248
        ([0.01, 0.02, 0.03], "+0.0200 (95 % -0.0048 to +0.0448), not shown"),
        ([0.02, 0.02, 0.03], "+0.0233 (95 % +0.0090 to +0.0377), better"),
        ([-0.02, -0.02, -0.03], "-0.0233 (95 % -0.0377 to -0.0090), worse"),
    ],
)
def test_a_difference_is_shown_if_its_interval_excludes_zero(
    gains: list[float], verdict: str
) -> None:
    assert said(pairs(gains)) == (
        "Better than chance? zo-darts++ minus random, 3 pairs:"
        f" test accuracy {verdict}; test AUC {verdict}."
    )


@pytest.mark.parametrize("gains", [[0.05], [0.05, 0.05]], ids=["one", "two"])
def test_few_pairs_show_nothing_however_alike_they_are(gains: list[float]) -> None:
    text = said(pairs(gains))
    assert text is not None
    few = "+0.0500, which so few pairs can't show"
    assert text.endswith(f": test accuracy {few}; test AUC {few}.")
    contrast, *_ = contrast_table(contrasts(pairs(gains), "zo-darts++")).rows
    assert contrast[-1] == "too few"


def test_without_random_nothing_is_said() -> None:
    assert said([a_row(), a_row("darts")]) is None
    assert said([a_row()]) is None


def test_several_data_sets_are_taken_together() -> None:
    other = [
        a_row(method, 0, dataset="breastmnist", accuracy=accuracy)
        for method, accuracy in (("zo-darts++", 0.8), ("random", 0.9))
    ]
    text = said(pairs([0.2]) + other)
    assert text is not None
    assert "2 pairs: test accuracy +0.0500" in text
