"""The result of a bench: a page of Markdown and a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
MANY, SOME = 100, 10  # from here on a number has no decimals, or one


@dataclass(frozen=True, slots=True)
class Page:
    """picture: an SVG document, which the Markdown shows as {name}.svg; may be empty."""

    markdown: str
    picture: str = ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: names in the first column, numbers in all others."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(_line(cells) for cells in (head, marks, *rows)) + "\n"


def number(value: float) -> str:
    """A value with about three digits; a dash if nothing was measured."""
    if math.isnan(value):
        return NOTHING
    if abs(value) >= MANY:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= SOME else f"{value:.2f}"


def ratio(value: float, reference: float) -> str:
    """The value divided by the reference; a dash if either is missing or the reference is 0."""
    if math.isnan(value) or math.isnan(reference) or reference <= 0:
        return NOTHING
    return f"{value / reference:.2f}"


def skipped(lines: Iterable[str]) -> str:
    """A list of what could not be measured here; empty if nothing is missing."""
    listed = "".join(f"* {line}\n" for line in lines)
    return f"Not measured:\n\n{listed}\n" if listed else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
