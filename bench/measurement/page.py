"""The result of a bench: a page of Markdown and a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.figures import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Page:
    """picture: an SVG document, which the Markdown shows as {name}.svg; may be empty."""

    markdown: str
    picture: str = ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: names in the first column, numbers in all others."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(_line(cells) for cells in (head, marks, *rows)) + "\n"


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
