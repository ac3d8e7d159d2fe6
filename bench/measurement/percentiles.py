"""Medians and tails of measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIAN, TAIL = 0.5, 0.99


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile of a quantity; NaN if nothing was measured."""

    p50: float
    p99: float


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    return Spread(percentile(ordered, MEDIAN), percentile(ordered, TAIL))


def median(values: Iterable[float]) -> float:
    return percentile(sorted(values), MEDIAN)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered values lie, interpolated between two."""
    if not ordered:
        return math.nan
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
