"""Cold start: from exec of a runtime until it asks for its first event.

This is the part of Lambda's init phase that the project controls. The reference is a bare Python,
whose start every function pays for. The layer is measured as it ships (with bytecode) and as built
on a machine without the functions' Python. Nothing is written in either, as in /opt.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.child_process import Cost, cost_until, cost_until_exit, first_request
from bench.measurement.machine import CHECKOUT, origin
from bench.measurement.page import Page, ratio, skipped, table
from bench.measurement.percentiles import Spread, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import SUBJECT, running_on
from bench.subjects import first_answer
from bench.subjects.runtimes import (
    Start,
    bare_python,
    function_environ,
    node_runtime,
    opt_folder,
    our_runtime,
    stock_runtime,
)
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.measurement.plan import Plan

STARTS = 40  # of each kind, in turns
FUNCTIONS = ("connect", "disconnect", "control", "default", "stream")
REFERENCE = "`python -S -E -c pass`"
EMPTY = "empty handler"
STOCK = "stock Python client"
NODE = "Node.js client, pass-through handler"
STREAM = "`stream`"
INTRODUCTION = f"""# Cold start

Milliseconds from exec until the first `GET …/next` arrives: medians and 99th percentiles of
{{starts}} starts of each kind, in turns, on one processor. Lower is better.

* CPU: user and system time.
* RSS: peak memory until then.
* {TIMES}: ratio of the medians to {REFERENCE} in the same run.

"""
HANDLER = "def handler(event, context):\n    return None\n"
ASKS_FOR_EVENT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of start and its costs."""

    name: str
    cpu_ms: Spread
    wall_ms: Spread
    rss_mb: float


def report(plan: Plan) -> Page:
    with tempfile.TemporaryDirectory() as name, timed_upstream() as upstream_port:
        folder = Path(name)
        python = bare_python(folder / "bare")
        found = _kinds_of_start(folder, python, function_environ(upstream_port))
        starts = {name: start for name, start in found.items() if start is not None}
        rows = _cold_starts(starts, [python, "-S", "-E", "-c", "pass"], plan.times(STARTS))
        answering = {name: starts[name] for name in (STREAM, NODE) if name in starts}
        answers = first_answer.measure(answering, plan.times(STARTS))
    missing = [f"{name}: `npm run bench -- --install-peers`" for name in found if not found[name]]
    return _page(rows, answers, missing, plan.times(STARTS))


def _cold_starts(starts: Mapping[str, Start], reference: list[str], rounds: int) -> list[Row]:
    kinds: dict[str, Callable[[], Cost]] = {
        REFERENCE: lambda: _bare_start(reference),
        **{name: partial(_start, start) for name, start in starts.items()},
    }
    costs: dict[str, list[Cost]] = {name: [] for name in kinds}
    with running_on(SUBJECT):
        for name in in_turns(list(kinds), rounds):
            costs[name].append(kinds[name]())
    return [_row(name, measured) for name, measured in costs.items()]


def _kinds_of_start(
    folder: Path, python: str, environ: Mapping[str, str]
) -> dict[str, Start | None]:
    """Starts by name; None if a runtime is not installed."""
    (folder / "app.py").write_text(HANDLER, encoding="utf-8")
    opt = opt_folder(_made(folder / "compiled"), python)
    plain = opt_folder(_made(folder / "plain"))
    found: dict[str, Start | None] = {
        EMPTY: our_runtime(python, opt, folder, "app.handler"),
        f"{EMPTY}, layer without bytecode": our_runtime(python, plain, folder, "app.handler"),
    }
    for function in FUNCTIONS:
        handler = f"functions/{function}/handler.handler"
        found[f"`{function}`"] = our_runtime(python, opt, CHECKOUT, handler, environ)
    found[NODE] = node_runtime(folder, environ)
    found[f"{STOCK}, {EMPTY}"] = stock_runtime(folder, "app.handler", opt=opt)
    found[f"{STOCK}, `stream`"] = stock_runtime(
        CHECKOUT, "functions/stream/handler.handler", environ, opt
    )
    return found


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _bare_start(command: list[str]) -> Cost:
    return cost_until_exit(command, {})


def _start(start: Start) -> Cost:
    with first_request() as event:
        return cost_until(
            start.command, start.with_api(event.address), lambda: event.wait(ASKS_FOR_EVENT)
        )


def _row(name: str, costs: Sequence[Cost]) -> Row:
    cpu_ms, wall_ms = spread(c.cpu_ms for c in costs), spread(c.wall_ms for c in costs)
    row = Row(name, cpu_ms, wall_ms, spread(c.rss_mb for c in costs).p50)
    # The memory of a finished process is unknown.
    return row if row.rss_mb else replace(row, rss_mb=math.nan)


def _page(
    rows: Sequence[Row], answers: Mapping[str, Spread], missing: Sequence[str], starts: int
) -> Page:
    head = ["start", "wall", "p99", TIMES, "CPU", "p99", TIMES, "RSS MB"]
    text = [
        INTRODUCTION.format(starts=starts),
        table(head, [_cells(row, rows[0]) for row in rows]),
        _goals({row.name: row for row in rows}),
        first_answer.section(answers, NODE),
        "\n![Cold start](cold_start.svg)\n\n",
        skipped(missing),
        origin(),
    ]
    return Page("".join(text), _picture(rows, answers))


def _cells(row: Row, reference: Row) -> list[str]:
    cells = [row.name]
    pairs = ((row.wall_ms, reference.wall_ms), (row.cpu_ms, reference.cpu_ms))
    for value, base in pairs:
        cells += [number(value.p50), number(value.p99), ratio(value.p50, base.p50)]
    return [*cells, number(row.rss_mb)]


def _goals(rows: Mapping[str, Row]) -> str:
    goals = [(STREAM, NODE, "1"), ("`connect`", EMPTY, "1.5")]
    lines = [
        f"* {name} takes {ratio(rows[name].wall_ms.p50, rows[other].wall_ms.p50)} {TIMES} the wall"
        f" time of {other} (goal: at most {goal})\n"
        for name, other, goal in goals
        if other in rows
    ]
    return "\n" + "".join(lines)


def _picture(rows: Sequence[Row], answers: Mapping[str, Spread]) -> str:
    bars = [Bar(row.name.replace("`", ""), row.wall_ms.p50, _is_ours(row.name)) for row in rows]
    title = "Cold start: from exec to the first GET …/next (median wall time)"
    firsts = [
        Bar(name.replace("`", ""), each.p50, _is_ours(name)) for name, each in answers.items()
    ]
    first_title = "First answer: from exec to its first byte (median wall time)"
    reference = REFERENCE.replace("`", "")
    return svg([Chart(title, "ms", bars, reference), Chart(first_title, "ms", firsts, NODE)])


def _is_ours(name: str) -> bool:
    return name.strip("`") in FUNCTIONS or name.startswith(EMPTY)
