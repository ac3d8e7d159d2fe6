"""Draw the dashboard of deployment/dashboard.yml as docs/dashboard.svg: `npm run docs`.

Titles, series, columns and places are those of the file. The figures are made up, and the picture
says so: CloudWatch draws the real ones.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
WIDGETS = PROJECT / "deployment" / "dashboard.yml"
PICTURE = PROJECT / "docs" / "dashboard.svg"
NOTE = "made-up figures of one day; the widgets are those of deployment/dashboard.yml"

COLUMNS, COLUMN_WIDTH, ROW_HEIGHT, GAP = 24, 50, 34, 8
"""CloudWatch's grid of 24 columns; pixels."""
TITLE_HEIGHT, LEGEND_HEIGHT, LINE_HEIGHT = 26, 16, 20  # pixels
POINTS = 48
"""Half hours of the day that is drawn."""
ROWS = 5
"""Lines of a table."""
LONG_LABEL = 16
"""Letters of a label beyond which only two fit next to each other."""
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
MADE_UP = {
    "Crashes and timeouts": 0, "connect p95": 60, "control p95": 40, "default p95": 9_000,
    "stream p95": 8_000, "p50": 480, "p95": 1_900, "prompts": 42_000, "answers": 65_000,
    "failed": 1, "client disconnected": 3, "spend": 2, "tokens": 310_000, "budget spent": 1,
    "not counted": 0, "throttled": 0, "written": 300, "read": 500, "connected": 40,
    "messages both ways": 4_000, "failed integrations": 0, "ok": 130, "cancelled": 9,
    "rate_limit_exceeded": 4, "insufficient_quota": 1, "invalid_api_key": 2,
}  # fmt: skip
"""The usual figure of a series, by its widget or by how its label ends; others have OTHER."""
OTHER = 60
SEARCHES = {
    "Requests by transport and outcome": ("url ok", "websocket ok", "url cancelled"),
    "Refusals by kind": (
        "url rate_limit_exceeded", "url insufficient_quota", "connect invalid_api_key",
    ),
}  # fmt: skip
"""Series that a SEARCH could find, by the title of its widget."""
CELLS = {
    "principal": ("team-a", "team-b", "search", "key-5b2c8e01f3a9", "team-a"),
    "key": ("team-a", "team-b", "search", "key-5b2c8e01f3a9", "night-job"),
    "model": ("gpt-6-luna",),
    "outcome": ("ok", "ok", "ok", "ok", "cancelled"),
}
STYLE = """\
.page{fill:#fff}.box{fill:#fff;stroke:#d1d9e0}.head{font-size:15px}.title,.head{font-weight:600}
text{font:11px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}.note{fill:#59636e}
.grid{stroke:#eaeef2}.line{fill:none;stroke-width:1.5}
@media (prefers-color-scheme:dark){.page,.box{fill:#0d1117}.box{stroke:#3d444d}
text{fill:#f0f6fc}.note{fill:#9198a1}.grid{stroke:#21262d}}"""

Series = list[float]


def picture(widgets: Sequence[dict[str, Any]]) -> str:
    """Return the picture of the widgets, in the order in which CloudWatch places them."""
    drawn: list[str] = []
    left = top = row = 0
    for widget in widgets:
        width, height = widget["width"], widget["height"]
        if left + width > COLUMNS:
            left, top, row = 0, top + row, 0
        box = (left * COLUMN_WIDTH + GAP / 2, top * ROW_HEIGHT + LINE_HEIGHT + GAP)
        drawn += _widget(widget, *box, width * COLUMN_WIDTH - GAP, height * ROW_HEIGHT - GAP)
        left, row = left + width, max(row, height)
    size = (COLUMNS * COLUMN_WIDTH, (top + row) * ROW_HEIGHT + LINE_HEIGHT + GAP)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}"'
        f' viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="The dashboard, with {NOTE}">',
        "<!-- Drawn by scripts/dashboard_picture.py: npm run docs -->",
        f"<style>{STYLE}</style>",
        '<rect class="page" width="100%" height="100%"/>',
        _text(size[0] - GAP, 15, NOTE, "note", "end"),
        *drawn,
        "</svg>\n",
    ])  # fmt: skip


def series_of(widget: dict[str, Any]) -> list[str]:
    """Return the labels of the series of a widget of metrics."""
    properties = widget["properties"]
    labels: list[str] = []
    for metric in properties["metrics"]:
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        if "SEARCH(" in options.get("expression", ""):
            labels += SEARCHES[properties["title"]]
        elif options.get("visible", True):
            labels.append(options["label"])
    return labels


def columns_of(query: str) -> list[str]:
    """Return the columns of a query's table: its groups, then its figures."""
    figures, _, groups = query.partition("| stats")[2].partition("|")[0].rpartition(" by ")
    names = [re.sub(r".* as ", "", group) for group in re.split(r", (?![^(]*\))", groups)]
    return [*map(str.strip, names), *re.findall(r"\bas (\w+)", figures)]


def _widget(
    widget: dict[str, Any], left: float, top: float, width: float, height: float
) -> Iterator[str]:
    properties = widget["properties"]
    if widget["type"] == "text":
        service = properties["markdown"].removeprefix("## ")
        head = re.sub(r"\$\{self:service\} \$\{sls:stage\}", "sluice prod", service)
        yield _text(left + GAP, top + height - GAP / 2, head, "head")
        return
    yield f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="3"/>'
    yield _text(left + GAP, top + 17, properties["title"], "title")
    inside = (left + GAP, top + TITLE_HEIGHT, width - 2 * GAP, height - TITLE_HEIGHT - GAP)
    if widget["type"] == "log":
        yield from _table(columns_of(properties["query"]), *inside)
    else:
        yield from _graph(widget, *inside)


def _graph(
    widget: dict[str, Any], left: float, top: float, width: float, height: float
) -> Iterator[str]:
    labels = series_of(widget)
    lines = [_made_up(widget["properties"]["title"], label) for label in labels]
    if widget["properties"].get("stacked"):
        lines = [
            [sum(values) for values in zip(*lines[: n + 1], strict=True)] for n in range(len(lines))
        ]
    highest = max(map(max, lines)) or 1
    beside = 2 if max(map(len, labels)) > LONG_LABEL else 3
    plot = height - LEGEND_HEIGHT * math.ceil(len(labels) / beside)
    unit = widget["properties"].get("yAxis", {}).get("left", {}).get("label", "")
    yield _text(left, top + 10, f"{highest:,.0f} {unit}".strip(), "note")
    for share in (0.0, 0.5, 1.0):
        y = top + plot * share
        yield f'<path class="grid" d="M{left:.0f} {y:.0f}h{width:.0f}"/>'
    for number, line in enumerate(lines):
        points = " ".join(
            f"{left + width * at / (POINTS - 1):.0f},{top + plot * (1 - value / highest):.0f}"
            for at, value in enumerate(line)
        )
        yield f'<polyline class="line" stroke="{COLORS[number % len(COLORS)]}" points="{points}"/>'
    for number, label in enumerate(labels):
        x = left + number % beside * width / beside
        y = top + plot + LEGEND_HEIGHT * (number // beside + 1)
        color = COLORS[number % len(COLORS)]
        yield f'<path stroke="{color}" stroke-width="3" d="M{x:.0f} {y - 4:.0f}h10"/>'
        yield _text(x + 14, y, label)


def _table(
    columns: Sequence[str], left: float, top: float, width: float, height: float
) -> Iterator[str]:
    step = height / (ROWS + 1)
    for number, column in enumerate(columns):
        x = left + width * number / len(columns)
        yield _text(x, top + step / 2, column, "note")
        for row in range(ROWS):
            yield _text(x, top + step * (row + 1.5), _cell(column, row))


def _cell(column: str, row: int) -> str:
    texts = CELLS.get(column)
    if texts:
        return texts[row % len(texts)]
    figure = random.Random(f"{column} {row}").uniform(0.7, 1.3) * 4000 / 2**row  # noqa: S311
    return f"{figure / 400:.2f}" if column == "usd" else f"{figure:,.0f}"


def _made_up(title: str, label: str) -> Series:
    """Return a day's figures: few at night, most in the afternoon; the same at each run."""
    names = (name for name in MADE_UP if title == name or label.endswith(name))
    usual = MADE_UP.get(next(names, ""), OTHER)
    chance = random.Random(label)  # noqa: S311 - no secret
    day = (0.6 - 0.4 * math.cos(2 * math.pi * (at - 4) / POINTS) for at in range(POINTS))
    return [usual * share * chance.uniform(0.85, 1.15) for share in day]


def _text(x: float, y: float, text: str, kind: str = "label", anchor: str = "start") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'


def widgets() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(WIDGETS.read_text("utf-8"))
    return found


if __name__ == "__main__":
    PICTURE.write_text(picture(widgets()), "utf-8")
