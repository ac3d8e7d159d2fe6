"""Measured values as readers like them: about three digits."""

from __future__ import annotations

import math

NOTHING, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
MANY, SOME = 100, 10  # from here on a number has no decimals, or one


def number(value: float) -> str:
    """A value with about three digits; a dash if nothing was measured."""
    if math.isnan(value):
        return NOTHING
    if abs(value) >= MANY:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= SOME else f"{value:.2f}"
