"""Memory: peaks of `stream` and `default` during the longest possible answers."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT, origin
from bench.measurement.page import Page, table
from bench.measurement.process_cost import cpu_s, peak_rss_mb
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.runtimes import (
    bare_python,
    function_environ,
    opt_folder,
    our_runtime,
    running,
)
from bench.traffic.connections_api import ConnectionsApi, connections_api
from bench.traffic.function_events import url_event, websocket_event
from bench.traffic.model_stream import StreamShape
from bench.traffic.runtime_api import MeasuringRuntimeApi, measuring_runtime_api
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measurement.plan import Plan

KIB, MIB = 1024, 1024 * 1024
LIMIT_MB = 128
SLOW_POST_MS = 10
LARGEST, LONGEST = "200 MB", "an hour, 50 tokens a second"
SHAPES = {LARGEST: StreamShape(3200, 64 * KIB, 0), LONGEST: StreamShape(180_000, 250, 0)}
SLOW = f"posts of {SLOW_POST_MS} ms"
CASES = (
    ("stream", LARGEST, 0.0),
    ("default", LARGEST, 0.0),
    ("default", LARGEST, SLOW_POST_MS / 1000),
    ("stream", LONGEST, 0.0),
    ("default", LONGEST, 0.0),
)
INTRODUCTION = f"""# Memory

Peak RSS of a function's process, from its start, with answers as fast as they are taken. Lower is
better; the goal is less than {LIMIT_MB} MB, Lambda's smallest function.

* `stream` writes to a Runtime API that takes everything at once.
* `default` posts frames to @connections, which takes each at once, or after {SLOW_POST_MS} ms, so
  that the model waits for its client.

"""


@dataclass(frozen=True, slots=True)
class Row:
    """sent_mb: how much arrived, which shows that everything was sent."""

    function: str
    answer: str
    idle_mb: float
    peak_mb: float
    sent_mb: float
    seconds: float
    cpu_s: float


def report(plan: Plan) -> Page:
    with running_on(OTHERS):
        return _page(asyncio.run(_measure(plan)))


async def _measure(plan: Plan) -> list[Row]:
    rows = []
    async with AsyncExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        python = bare_python(folder / "bare")
        opt = opt_folder(folder, python)
        upstream_port = open_things.enter_context(timed_upstream())
        for function, answer, pause_s in CASES:
            shape = SHAPES[answer]
            shape = StreamShape(plan.times(shape.chunks), shape.chunk_bytes, 0)
            subject = _Subject(function, python, opt, upstream_port)
            rows.append(await subject.answer(answer, shape, pause_s))
    return rows


@dataclass(frozen=True, slots=True)
class _Subject:
    function: str
    python: str
    opt: Path
    upstream_port: int

    async def answer(self, answer: str, shape: StreamShape, pause_s: float) -> Row:
        """Answer in a new process, so that the peak belongs to this answer."""
        async with measuring_runtime_api() as api, connections_api(pause_s) as connections:
            environ = function_environ(
                self.upstream_port, API_GW_ENDPOINT=f"http://127.0.0.1:{connections.port}"
            )
            handler = f"functions/{self.function}/handler.handler"
            start = our_runtime(self.python, self.opt, CHECKOUT, handler, environ)
            with running(start, api.address) as process:
                await api.wait_until_idle()
                idle_mb, loop = peak_rss_mb(process.pid), asyncio.get_running_loop()
                started = loop.time()
                sent = await self._answer(api, connections, shape)
                return Row(
                    self.function,
                    f"{answer}, {SLOW}" if pause_s else answer,
                    idle_mb,
                    peak_rss_mb(process.pid),
                    sent / MIB,
                    loop.time() - started,
                    cpu_s(process.pid),
                )

    async def _answer(
        self, api: MeasuringRuntimeApi, connections: ConnectionsApi, shape: StreamShape
    ) -> int:
        if self.function == "stream":
            return (await api.invoke(url_event(shape), keeps_pieces=False)).size
        await api.invoke(websocket_event(shape))
        await api.wait_until_idle()
        return connections.size


def _page(rows: Sequence[Row]) -> Page:
    head = ["function", "answer", "idle MB", "peak MB", "sent MB", "seconds", "CPU s"]
    cells = [
        [f"`{row.function}`", row.answer]
        + [number(v) for v in (row.idle_mb, row.peak_mb, row.sent_mb, row.seconds, row.cpu_s)]
        for row in rows
    ]
    text = [INTRODUCTION, table(head, cells), "\n![Memory](memory.svg)\n\n", origin()]
    return Page("".join(text), _picture(rows))


def _picture(rows: Sequence[Row]) -> str:
    bars = [Bar(f"{row.function}: {row.answer}", row.peak_mb, is_ours=True) for row in rows]
    limit = Bar("the goal: Lambda's smallest function", float(LIMIT_MB))
    return svg([Chart("Peak memory of a function's process", "MB", [*bars, limit], limit.label)])
