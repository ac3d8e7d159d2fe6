"""Bars side by side, drawn as SVG: what was measured, with its ratio to a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from bench.measurement.page import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, LABEL_WIDTH, FIGURE_WIDTH = 820, 290, 170  # the longest label has 40 letters
BAR_HEIGHT, BAR_GAP, TITLE_HEIGHT, MARGIN = 18, 6, 34, 14
OURS, OTHERS = "#2563eb", "#94a3b8"
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1e293b}.title{font-weight:600}.figure{fill:#475569}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """label: whose it is. is_ours: drawn in the colour that stands out."""

    label: str
    value: float
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """title: with the unit. reference: the label of the bar to which the others are compared."""

    title: str
    bars: Sequence[Bar]
    reference: str = ""


def svg(charts: Sequence[Chart]) -> str:
    """One picture of all charts, one below the other; bars of unknown length are left out."""
    drawn, top = [], MARGIN
    for chart in charts:
        bars = [bar for bar in chart.bars if math.isfinite(bar.value)]
        drawn += _chart(chart, bars, top)
        top += TITLE_HEIGHT + len(bars) * (BAR_HEIGHT + BAR_GAP)
    size = f'width="{WIDTH}" height="{top + MARGIN}" viewBox="0 0 {WIDTH} {top + MARGIN}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", background, *drawn, "</svg>"]) + "\n"


def _chart(chart: Chart, bars: Sequence[Bar], top: int) -> list[str]:
    longest = max((bar.value for bar in bars), default=0)
    reference = next((bar.value for bar in bars if bar.label == chart.reference), math.nan)
    drawn = [_text(MARGIN, top + 16, chart.title, "title")]
    for row, bar in enumerate(bars):
        y = top + TITLE_HEIGHT - 8 + row * (BAR_HEIGHT + BAR_GAP)
        drawn += _bar(bar, y, bar.value / longest if longest > 0 else 0, _figure(bar, reference))
    return drawn


def _bar(bar: Bar, y: int, share: float, figure: str) -> list[str]:
    length = max(1.0, (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) * max(0.0, share))
    colour = OURS if bar.is_ours else OTHERS
    place = f'x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}"'
    return [
        _text(MARGIN, y + 13, bar.label),
        f'<rect {place} rx="2" fill="{colour}"/>',
        _text(LABEL_WIDTH + length + 6, y + 13, figure, "figure"),
    ]


def _figure(bar: Bar, reference: float) -> str:
    if math.isnan(reference) or reference <= 0:
        return number(bar.value)
    return f"{number(bar.value)}  ({bar.value / reference:.2f} {TIMES})"


def _text(x: float, y: int, text: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}">{escape(text)}</text>'
