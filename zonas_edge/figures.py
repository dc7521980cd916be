"""Figures as people write them: short, but never so short that they hide what decides.

A verdict between two figures that look alike would be a riddle, and a share of 0.9997
that reads 1.000 would be a false claim.
"""

import math
import sys
from collections.abc import Callable

DIVERGED = sys.float_info.max
"""Stands for a loss that is no number: behind all others, and JSON has no infinity."""

_MOST = 8
"""Decimals, at most."""


def digits(value: float, beside: float | None = None, *, least: int = 3) -> str:
    """A figure with some decimals, or as many as show what decides.

    Args:
        value: the figure.
        beside: a limit that it must not be taken for; None of a limit itself, which is
            shown whole.
        least: decimals.
    """

    def whole(text: str, decimals: int) -> bool:
        if beside is None:
            return math.isclose(round(value, decimals), value, rel_tol=1e-9)
        return value == beside or text != f"{beside:,.{decimals}f}"

    return _shortest(lambda decimals: f"{value:,.{decimals}f}", whole, least)


def share(value: float) -> str:
    """A share, 0 to 1: three decimals, or more where it is near an end, not there."""

    def whole(text: str, _: int) -> bool:
        return value in {0.0, 1.0} or 0.0 < float(text) < 1.0

    return _shortest(lambda decimals: f"{value:.{decimals}f}", whole, 3)


def loss(value: float) -> str:
    """A cross-entropy [nats], or that there is none."""
    return "diverged" if value == DIVERGED else f"{value:.3f}"


def scientific(value: float, beside: float) -> str:
    """A small figure, with as many digits as tell it from a limit beside it."""

    def whole(text: str, _: int) -> bool:
        return value == beside or float(text) != beside

    return _shortest(lambda decimals: f"{value:.{decimals}e}", whole, 1)


def number(value: float, beside: float | None = None) -> str:
    """A figure as people write it: 1,234,567 or 3.25, told from another beside it."""
    if beside is not None and value != beside and number(value) == number(beside):
        return digits(value, beside, least=1)
    whole = value == int(value) or abs(value) >= 1000  # noqa: PLR2004 - 4 digits
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def count(number: int, thing: str) -> str:
    """``1 epoch``, ``2 epochs``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _shortest(
    written: Callable[[int], str], enough: Callable[[str, int], bool], least: int
) -> str:
    """The figure with the fewest decimals that are enough, or with the most."""
    texts = ((written(decimals), decimals) for decimals in range(least, _MOST + 1))
    return next((text for text, n in texts if enough(text, n)), written(_MOST))
