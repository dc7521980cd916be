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


SIX = [0.01, 0.02, 0.03, 0.02, 0.01, 0.02]


@pytest.mark.parametrize(
    ("gains", "verdict", "share"),
    [
        # t(5) 2.571 of 0.00753 / sqrt(6): +-0.0079; p: 2 of 64 patterns of signs
        (SIX, "+0.0183 (95 % +0.0104 to +0.0262, p 0.031), better", 1),
        (
            [-gain for gain in SIX],
            "-0.0183 (95 % -0.0262 to -0.0104, p 0.031), worse",
            -1,
        ),
    ],
)
def test_a_difference_is_shown_by_its_interval_and_its_signs(
    gains: list[float], verdict: str, share: int
) -> None:
    # networks of one size: the more accurate one dominates the other, always
    word = "better" if share > 0 else "worse"
    whole = f"{share:+.4f} (p 0.031), {word}"
    assert said(pairs(gains)) == (
        "Better than chance? zo-darts++ minus random, 6 pairs:"
        f" test accuracy {verdict}; test AUC {verdict}."
        " More for a device? zo-darts++ minus random, 6 pairs: share dominated, by"
        f" parameters {whole}; share dominated, by latency {whole}."
    )


def test_a_difference_whose_interval_holds_zero_is_not_shown() -> None:
    text = said(pairs([*SIX[:5], -0.05]))
    assert text is not None
    assert ": test accuracy +0.0067 (95 % -0.0235 to +0.0368, p 0.688)" in text
    assert "p 0.688), not shown; test AUC" in text


def test_a_figure_that_fewer_pairs_have_tells_how_many() -> None:
    rows = pairs([*SIX, 0.02])
    rows[0] = replace(rows[0], latency_undisturbed_ms=None)
    text = said(rows)
    assert text is not None
    assert "7 pairs: share dominated, by parameters +1.0000 (p 0.016), better" in text
    assert "share dominated, by latency +1.0000 of 6 pairs (p 0.031), better" in text


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_pairs_show_nothing_however_alike_they_are(count: int) -> None:
    rows = pairs([0.05] * count)
    text = said(rows)
    assert text is not None
    few = f"+0.0500 (p {2 ** (1 - count):.3f}), which so few pairs can't show"
    assert f": test accuracy {few}; test AUC {few}." in text
    contrast, *_ = contrast_table(contrasts(rows, "zo-darts++")).rows
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
