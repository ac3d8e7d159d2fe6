"""A usage report as a table, as JSON, as CSV and as a chart (no I/O)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from scripts.access.table import printable, table
from scripts.bar_chart import Bar, Chart, svg
from scripts.usage.report import IN_USD, Row, total
from sluice.access.records import MICRO

COLUMNS = {
    "requests": "REQUESTS",
    "failures": "FAILURES",
    "input_tokens": "INPUT",
    "cached_tokens": "CACHED",
    "output_tokens": "OUTPUT",
    "micro_usd": "USD",
    "estimated_requests": "ESTIMATED",
    "estimated_tokens": "EST. TOKENS",
    "unpriced_requests": "UNPRICED",
}
OF_CACHE = {
    "cache_hits": "CACHE HITS",
    "saved_tokens": "SAVED TOKENS",
    "saved_micro_usd": "SAVED USD",
}
"""Further columns, if the answer cache has answered."""
UNPRICED = (
    "UNPRICED requests have a model without a price: set MODEL_PRICES. They count as 0 USD.\n"
)
TOTAL = "total"
MAX_BARS = 30
"""The largest ones. What is left is one further bar."""
MAX_LABEL_CHARACTERS = 40
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run, and a model's name is a client's text."""


class Report(NamedTuple):
    """first_day, last_day: what was asked for, both included."""

    first_day: str
    last_day: str
    by: Sequence[str]
    rows: Sequence[Row]


def as_table(report: Report) -> str:
    period = f"{report.first_day} to {report.last_day}"
    if not report.rows:
        return f"Nothing was counted from {period}.\n"
    last = (TOTAL, *[""] * (len(report.by) - 1))
    sums = total(report.rows)
    columns = {**COLUMNS, **OF_CACHE} if sums.counts["cache_hits"] else COLUMNS
    head = [*(name.upper() for name in report.by), *columns.values()]
    lines = [*((row, row.labels) for row in report.rows), (sums, last)]
    rows = [_cells(row, labels, columns) for row, labels in lines]
    note = UNPRICED if sums.counts["unpriced_requests"] else ""
    return f"Usage from {period} (UTC)\n\n{table(head, rows, len(report.by))}{note}"


def as_json(report: Report) -> str:
    document = {
        "from": report.first_day,
        "to": report.last_day,
        "by": list(report.by),
        "rows": [row.document(report.by) for row in report.rows],
        "total": total(report.rows).document(()),
    }
    return f"{json.dumps(document, indent=2)}\n"


def as_csv(report: Report) -> str:
    """One line for each row, without the total."""
    file = io.StringIO()
    names = [*report.by, *total(()).document(())]
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        cells = {name: _harmless(text) for name, text in row.document(report.by).items()}
        # Python would write small amounts as 4.6e-05.
        writer.writerow({**cells, **{IN_USD[n]: f"{_usd(row, n):.6f}" for n in IN_USD}})
    return file.getvalue()


def as_chart(report: Report) -> str:
    """Two bar charts in one SVG picture: USD and tokens."""
    groups = ", ".join(report.by)
    period = f"{report.first_day} to {report.last_day}"
    charts = [
        Chart(title, unit, _bars(report, value, figure), higher_is_better=None)
        for title, unit, value, figure in (
            (f"Cost by {groups}, {period}", "USD", _usd, _usd_text),
            (f"Tokens by {groups}, {period}", "thousand tokens", _thousands, _token_text),
        )
    ]
    return svg(charts)


def _bars(report: Report, value: Callable[[Row], float], figure: Callable[[Row], str]) -> list[Bar]:
    largest = sorted(report.rows, key=value, reverse=True)
    shown = {row.labels for row in largest[:MAX_BARS]}
    rows = [row for row in report.rows if row.labels in shown]
    bars = [Bar(_label(row), value(row), is_ours=True, figure=figure(row)) for row in rows]
    if left := largest[MAX_BARS:]:
        rest = total(left)
        bars.append(Bar(f"{len(left)} others", value(rest), figure=figure(rest)))
    return bars


def _label(row: Row) -> str:
    text = printable(" \N{MIDDLE DOT} ".join(row.labels))
    is_long = len(text) > MAX_LABEL_CHARACTERS
    return f"{text[: MAX_LABEL_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}" if is_long else text


def _usd(row: Row, name: str = "micro_usd") -> float:
    return row.counts[name] / MICRO


def _usd_text(row: Row, name: str = "micro_usd") -> str:
    return f"{_usd(row, name):,.6f}"


def _thousands(row: Row) -> float:
    return row.tokens / 1000


def _token_text(row: Row) -> str:
    return f"{row.tokens:,}"


def _cells(row: Row, labels: Sequence[str], columns: Iterable[str]) -> list[str]:
    texts = (_usd_text(row, n) if n in IN_USD else f"{row.counts[n]:,}" for n in columns)
    return [*labels, *texts]


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
