"""Whether a search is better than chance, in words."""

from dataclasses import replace

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
    ("gains", "verdict", "share"),
    [
        # mean 0.02, t(2) 4.303 of 0.01 / sqrt(3): +-0.0248
        ([0.01, 0.02, 0.03], "+0.0200 (95 % -0.0048 to +0.0448), not shown", 1),
        ([0.02, 0.02, 0.03], "+0.0233 (95 % +0.0090 to +0.0377), better", 1),
        ([-0.02, -0.02, -0.03], "-0.0233 (95 % -0.0377 to -0.0090), worse", -1),
    ],
)
def test_a_difference_is_shown_if_its_interval_excludes_zero(
    gains: list[float], verdict: str, share: int
) -> None:
    # networks of one size: the more accurate one dominates the other
    word = "better" if share > 0 else "worse"
    whole = f"{share:+.4f} (95 % {share:+.4f} to {share:+.4f}), {word}"
    assert said(pairs(gains)) == (
        "Better than chance? zo-darts++ minus random, 3 pairs:"
        f" test accuracy {verdict}; test AUC {verdict}."
        " More for a device? zo-darts++ minus random, 3 pairs: share dominated, by"
        f" parameters {whole}; share dominated, by latency {whole}."
    )


def test_a_figure_that_fewer_pairs_have_tells_how_many() -> None:
    rows = pairs([0.01, 0.02, 0.03, 0.02])
    rows[0] = replace(rows[0], latency_undisturbed_ms=None)
    text = said(rows)
    assert text is not None
    assert "4 pairs: share dominated, by parameters +1.0000 (95 %" in text
    assert "share dominated, by latency +1.0000 of 3 pairs (95 %" in text


@pytest.mark.parametrize("gains", [[0.05], [0.05, 0.05]], ids=["one", "two"])
def test_few_pairs_show_nothing_however_alike_they_are(gains: list[float]) -> None:
    text = said(pairs(gains))
    assert text is not None
    few = "+0.0500, which so few pairs can't show"
    assert f": test accuracy {few}; test AUC {few}." in text
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
