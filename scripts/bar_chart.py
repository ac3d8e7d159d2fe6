"""Bar charts as SVG: measured values, their ratio to a reference, and an axis with its unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pixels.
WIDTH, MARGIN = 820, 14
LABEL_WIDTH, AXIS_WIDTH = 290, 360  # the longest label has 40 letters
BAR_HEIGHT, BAR_GAP = 18, 6
TITLE_HEIGHT, AXIS_HEIGHT = 26, 40

TICKS = 4
"""Minimum number of steps on an axis."""

STYLE = """\
.page{fill:#fff}text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.title{font-size:13px;font-weight:600}.note{fill:#59636e}.grid{stroke:#d1d9e0}
.figure{fill:#59636e;stroke:#fff;stroke-width:4px;paint-order:stroke}
.ours{fill:#0969da}.other{fill:#8c959f}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#f0f6fc}.note{fill:#9198a1}
.figure{fill:#9198a1;stroke:#0d1117}.grid{stroke:#3d444d}.ours{fill:#4493f8}.other{fill:#6e7681}}"""
"""A page of its own behind each picture, so that it is legible on light and dark pages."""


@dataclass(frozen=True, slots=True)
class Bar:
    """is_ours: drawn in the color that stands out. figure: what to write instead of the value."""

    label: str
    value: float
    is_ours: bool = False
    figure: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """reference: label of the bar that the others are compared with.

    higher_is_better: None for neither.
    """

    title: str
    unit: str
    bars: Sequence[Bar]
    reference: str = ""
    higher_is_better: bool | None = False


def svg(charts: Sequence[Chart]) -> str:
    """One picture of all charts, one below the other, without bars that were not measured."""
    drawn, top = [], MARGIN
    for chart in charts:
        bars = [bar for bar in chart.bars if math.isfinite(bar.value)]
        drawn += _chart(chart, bars, top)
        top += TITLE_HEIGHT + len(bars) * (BAR_HEIGHT + BAR_GAP) + AXIS_HEIGHT
    label = escape("; ".join(chart.title for chart in charts))
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    page = '<rect class="page" width="100%" height="100%"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", page, *drawn, "</svg>"]) + "\n"


def ticks(longest: float) -> list[float]:
    """Values to mark on an axis, from 0 to the first round one that is not below `longest`."""
    if longest <= 0:
        return [0.0]
    least = longest / TICKS
    magnitude = 10.0 ** math.floor(math.log10(least))
    step = next(each * magnitude for each in (1, 2, 5, 10) if each * magnitude >= least)
    return [step * position for position in range(math.ceil(longest / step) + 1)]


def _chart(chart: Chart, bars: Sequence[Bar], top: int) -> list[str]:
    marks = ticks(max((bar.value for bar in bars), default=0.0))
    reference = next((bar.value for bar in bars if bar.label == chart.reference), math.nan)
    first = top + TITLE_HEIGHT
    bottom = first + len(bars) * (BAR_HEIGHT + BAR_GAP)
    drawn = [_text(MARGIN, top + 14, chart.title, "title"), *_axis(chart, marks, first, bottom)]
    for row, bar in enumerate(bars):
        y = first + row * (BAR_HEIGHT + BAR_GAP) + BAR_GAP // 2
        drawn += _bar(bar, y, bar.value / (marks[-1] or 1), _figure(bar, reference))
    return drawn


def _axis(chart: Chart, marks: Sequence[float], top: int, bottom: int) -> list[str]:
    better = {True: " (higher is better)", False: " (lower is better)", None: ""}
    label = f"{chart.unit}{better[chart.higher_is_better]}"
    drawn = [_text(LABEL_WIDTH - 16, bottom + 16, label, "note", "end")]
    for mark in marks:
        x = LABEL_WIDTH + AXIS_WIDTH * mark / (marks[-1] or 1)
        drawn.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom + 3}"/>')
        drawn.append(_text(x, bottom + 16, f"{mark:,g}", "note", "middle"))
    return drawn


def _bar(bar: Bar, y: int, share: float, figure: str) -> list[str]:
    length = max(1.0, AXIS_WIDTH * max(0.0, share))
    kind = "ours" if bar.is_ours else "other"
    place = f'x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}"'
    return [
        _text(MARGIN, y + 13, bar.label),
        f'<rect class="{kind}" {place} rx="2"/>',
        _text(LABEL_WIDTH + length + 6, y + 13, figure, "figure"),
    ]


def _figure(bar: Bar, reference: float) -> str:
    if bar.figure:
        return bar.figure
    if math.isnan(reference) or reference <= 0:
        return number(bar.value)
    return f"{number(bar.value)}  ({bar.value / reference:.2f} {TIMES})"


def _text(x: float, y: int, text: str, kind: str = "label", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'
