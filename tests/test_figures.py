"""Figures are short, and never so short that they hide what decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.figures import digits, number, scientific, share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (0.0, "0.000"),
        (0.5, "0.500"),
        (2999 / 3000, "0.9997"),
        (0.9996, "0.9996"),
        (0.99949, "0.999"),
        (0.0004, "0.0004"),
    ],
)
def test_only_the_whole_is_shown_as_one(value: float, text: str) -> None:
    assert share(value) == text


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_a_share_of_counts_is_never_shown_as_all_or_none_of_them(
    one: int, other: int
) -> None:
    assert 0 < float(share(one / (one + other))) < 1


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (3_277.01, 3_277, "3,277.01"),
        (3_277.0, 3_277, "3,277.0"),
        (12.34, 3_277, "12.3"),
    ],
)
def test_a_figure_is_told_from_its_limit(value: float, limit: float, text: str) -> None:
    assert digits(value, limit, least=1) == text


def test_a_limit_is_shown_whole() -> None:
    assert digits(0.85) == "0.850"
    assert digits(0.84999) == "0.84999"


def test_a_difference_is_told_from_the_tolerance() -> None:
    assert scientific(1.04e-4, 1e-4) == "1.04e-04"
    assert scientific(1e-4, 1e-4) == "1.0e-04"
    assert scientific(2.5e-7, 1e-4) == "2.5e-07"


def test_a_number_is_told_from_the_one_beside_it() -> None:
    assert number(1_234_567.0) == "1,234,567"
    assert number(3.25) == "3.25"
    assert number(10.0004) == "10"
    assert number(10.0004, 10.0) == "10.0004"
    assert number(1_024.3, 1_024.0) == "1,024.3"
    assert number(10.0, 10.0) == "10"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234567, "1,234,567"),
        (3.25, "3.25"),
        (0.123456, "0.1235"),
        (12345.6, "12,346"),
    ],
)
def test_figures_are_written_as_people_do(value: float, text: str) -> None:
    assert number(value) == text
