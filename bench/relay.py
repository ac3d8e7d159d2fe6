"""Relay: what one warm `stream` function adds to a model's stream, under a bare Runtime API."""

from __future__ import annotations

import asyncio
import math
import tempfile
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.measurement.machine import CHECKOUT, origin
from bench.measurement.page import Page, ratio, skipped, table
from bench.measurement.percentiles import median, spread
from bench.measurement.plan import in_turns
from bench.measurement.process_cost import ProcessTree
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.gateways import NGINX, launches, missing_gateways, running_gateway
from bench.subjects.runtimes import (
    Start,
    bare_python,
    function_environ,
    node_runtime,
    opt_folder,
    our_runtime,
    running,
)
from bench.traffic.function_events import url_event
from bench.traffic.model_stream import StreamRecord, StreamShape, delays_us, first_byte_us
from bench.traffic.runtime_api import measuring_runtime_api
from bench.traffic.stream_client import StreamClient, request
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measurement.plan import Plan

KIB, MIB = 1024, 1024 * 1024
CHUNK_SIZES = (1 * KIB, 8 * KIB, 64 * KIB)
CHUNKS, GAP_US = 100, 5_000  # a stream of half a second
STREAMS = 10  # per size and subject, in turns
FIRST_BYTE = StreamShape(1, 250, 0)
FIRST_BYTES = 100  # streams of one chunk per subject, in turns
BODY = StreamShape(3200, 64 * KIB, 0)  # 200 MB
BODIES = 3
WARM_UP = StreamShape(20, KIB, 0)
DIRECT, OURS, NODE = "upstream read directly", "`stream`", "Node.js client, `pipeline`"
INTRODUCTION = f"""# Relay

One warm `stream` function under a Runtime API that only takes bytes; an upstream that writes the
time into each chunk. Streams are in turns; the subject has its own processor. Lower is better,
except for MB/s.

* First byte: streams of one chunk, from the request (or the event) until that chunk arrives.
* Chunks: {CHUNKS} per stream, one every {GAP_US // 1000} ms.
* Delays are in microseconds, from the upstream's `write` until the chunk's last byte is read.
* "+" is what a subject adds to the median (or 99th percentile) of reading the upstream directly.
* CPU is in milliseconds, for one request, or for 1,000 chunks with the costs of their requests.
* {TIMES}: ratio to Node.js's client.

"""


class Subject(Protocol):
    """A way to get a stream. processes: None if its cost is not measured."""

    processes: ProcessTree | None

    async def stream(self, shape: StreamShape, *, keeps_pieces: bool = True) -> StreamRecord: ...


class HttpSubject:
    """The upstream itself, or a proxy in front of it."""

    def __init__(self, port: int, processes: ProcessTree | None) -> None:
        self.processes = processes
        self._client = StreamClient(port)

    async def stream(self, shape: StreamShape, *, keeps_pieces: bool = True) -> StreamRecord:
        return await self._client.ask(request(shape), keeps_pieces=keeps_pieces)


class FunctionSubject:
    """A function in its runtime."""

    def __init__(self, invoke: Invoke, processes: ProcessTree) -> None:
        self.processes: ProcessTree | None = processes
        self._invoke = invoke

    async def stream(self, shape: StreamShape, *, keeps_pieces: bool = True) -> StreamRecord:
        return await self._invoke(url_event(shape), keeps_pieces=keeps_pieces)


class Invoke(Protocol):
    async def __call__(self, event: bytes, *, keeps_pieces: bool = True) -> StreamRecord: ...


@dataclass(slots=True)
class Series:
    """Measurements of one subject at one size."""

    first_byte_us: list[float] = field(default_factory=list)
    delays_us: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """For 1,000 chunks."""
    errors: int = 0


@dataclass(slots=True)
class Measured:
    """All measurements, by subject. Throughput in MB/s, memory in MB."""

    first: dict[str, Series] = field(default_factory=dict)
    paced: dict[tuple[int, str], Series] = field(default_factory=dict)
    throughput: dict[str, list[float]] = field(default_factory=dict)
    body_cpu_s: dict[str, list[float]] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def report(plan: Plan) -> Page:
    with running_on(OTHERS):
        return _page(asyncio.run(_measure(plan)))


async def _measure(plan: Plan) -> Measured:
    measured = Measured()
    async with AsyncExitStack() as open_things:
        folder = open_things.enter_context(tempfile.TemporaryDirectory())
        subjects = await _subjects(Path(folder), open_things, measured)
        for subject in subjects.values():
            await subject.stream(WARM_UP)
        for name in in_turns(list(subjects), plan.times(FIRST_BYTES)):
            await _stream(subjects[name], FIRST_BYTE, measured.first.setdefault(name, Series()))
        for size in CHUNK_SIZES:
            shape = StreamShape(CHUNKS, size, GAP_US)
            for name in in_turns(list(subjects), plan.times(STREAMS)):
                series = measured.paced.setdefault((size, name), Series())
                await _stream(subjects[name], shape, series)
        for name in in_turns(list(subjects), plan.times(BODIES)):
            await _body(name, subjects[name], measured)
        for name, subject in subjects.items():
            if subject.processes is not None:
                measured.rss_mb[name] = subject.processes.peak_rss_mb()
    return measured


async def _subjects(
    folder: Path, open_things: AsyncExitStack, measured: Measured
) -> dict[str, Subject]:
    upstream_port = open_things.enter_context(timed_upstream())
    subjects: dict[str, Subject] = {DIRECT: HttpSubject(upstream_port, None)}
    launch = launches()[NGINX]
    if launch is not None:
        gateway = await open_things.enter_async_context(
            running_gateway(NGINX, launch, upstream_port)
        )
        subjects[NGINX] = HttpSubject(gateway.port, gateway.processes)
    for name, start in _starts(folder, upstream_port).items():
        if start is not None:
            subjects[name] = await _function(start, open_things)
        else:
            measured.missing.append(f"{name}: `npm run bench -- --install-peers`")
    measured.missing += [line for line in missing_gateways() if line.startswith(NGINX)]
    return subjects


def _starts(folder: Path, upstream_port: int) -> Mapping[str, Start | None]:
    python, environ = bare_python(folder / "bare"), function_environ(upstream_port)
    opt = opt_folder(folder, python)
    handler = "functions/stream/handler.handler"
    return {
        NODE: node_runtime(folder, environ),
        OURS: our_runtime(python, opt, CHECKOUT, handler, environ),
    }


async def _function(start: Start, open_things: AsyncExitStack) -> Subject:
    api = await open_things.enter_async_context(measuring_runtime_api())
    processes = open_things.enter_context(ExitStack())
    process = processes.enter_context(running(start, api.address))
    return FunctionSubject(api.invoke, ProcessTree(process.pid))


async def _stream(subject: Subject, shape: StreamShape, series: Series) -> None:
    before = subject.processes.cpu_s() if subject.processes else 0.0
    record = await subject.stream(shape)
    if subject.processes is not None:
        spent_s = subject.processes.cpu_s() - before
        series.cpu_ms.append(spent_s * 1000 * 1000 / shape.chunks)
    series.first_byte_us += first_byte_us(record)
    series.delays_us += delays_us(record)
    series.errors += not record.is_whole


async def _body(name: str, subject: Subject, measured: Measured) -> None:
    before = subject.processes.cpu_s() if subject.processes else 0.0
    record = await subject.stream(BODY, keeps_pieces=False)
    if record.is_whole:
        measured.throughput.setdefault(name, []).append(record.size / MIB / record.seconds)
        if subject.processes is not None:
            spent_s = subject.processes.cpu_s() - before
            measured.body_cpu_s.setdefault(name, []).append(spent_s)


def _page(measured: Measured) -> Page:
    text = [INTRODUCTION, "## First byte\n\n", _first_table(measured.first), "\n"]
    for size in CHUNK_SIZES:
        rows = {name: s for (of, name), s in measured.paced.items() if of == size}
        text += [f"## Chunks of {size // KIB} KB\n\n", _paced_table(rows), "\n"]
    text += ["## A body of 200 MB\n\n", _body_table(measured)]
    text += ["\n![Relay](relay.svg)\n\n", skipped(measured.missing), origin()]
    return Page("".join(text), _picture(measured))


def _first_table(rows: Mapping[str, Series]) -> str:
    head = ["", "p50", "+", TIMES, "p99", "+", "CPU for a request", TIMES, "errors"]
    direct, node = rows[DIRECT], rows.get(NODE, Series())
    lines = []
    for name, series in rows.items():
        first, base = spread(series.first_byte_us), spread(direct.first_byte_us)
        cpu_ms, node_ms = median(series.cpu_ms) / 1000, median(node.cpu_ms) / 1000
        added, node_added = first.p50 - base.p50, median(node.first_byte_us) - base.p50
        cells = [name, number(first.p50), number(added), ratio(added, node_added)]
        cells += [number(first.p99), number(first.p99 - base.p99)]
        lines.append([*cells, number(cpu_ms), ratio(cpu_ms, node_ms), str(series.errors)])
    return table(head, lines)


def _paced_table(rows: Mapping[str, Series]) -> str:
    head = ["", "delay p50", "+", TIMES, "p99", "+", "CPU for 1,000", TIMES, "errors"]
    direct, node = rows[DIRECT], rows.get(NODE, Series())
    lines = []
    for name, series in rows.items():
        delay, base = spread(series.delays_us), spread(direct.delays_us)
        cpu_ms, added = median(series.cpu_ms), delay.p50 - base.p50
        cells = [name, number(delay.p50), number(added)]
        cells += [ratio(added, median(node.delays_us) - base.p50), number(delay.p99)]
        cells += [number(delay.p99 - base.p99), number(cpu_ms)]
        lines.append([*cells, ratio(cpu_ms, median(node.cpu_ms)), str(series.errors)])
    return table(head, lines)


def _body_table(measured: Measured) -> str:
    head = ["", "MB/s", f"{TIMES} direct", "CPU s", f"{TIMES} Node.js", "peak RSS MB"]
    direct = median(measured.throughput.get(DIRECT, []))
    node = median(measured.body_cpu_s.get(NODE, []))
    rows = []
    for name, values in measured.throughput.items():
        cpu_s = median(measured.body_cpu_s.get(name, []))
        rss_mb = measured.rss_mb.get(name, math.nan)
        cells = [name, number(median(values)), ratio(median(values), direct)]
        rows.append([*cells, number(cpu_s), ratio(cpu_s, node), number(rss_mb)])
    return table(head, rows)


def _picture(measured: Measured) -> str:
    rows = {name: s for (size, name), s in measured.paced.items() if size == KIB}
    direct = rows[DIRECT]

    def bars(values: Mapping[str, float]) -> Sequence[Bar]:
        return [Bar(n.replace("`", ""), v, n == OURS) for n, v in values.items() if n != DIRECT]

    base_us = median(measured.first[DIRECT].first_byte_us)
    added = {n: median(s.first_byte_us) - base_us for n, s in measured.first.items()}
    delay = {n: median(s.delays_us) - median(direct.delays_us) for n, s in rows.items()}
    cpu = {name: median(series.cpu_ms) for name, series in rows.items()}
    speed = {n: median(values) for n, values in measured.throughput.items()}
    node = NODE.replace("`", "")
    return svg(
        [
            Chart("Added time to the first byte (median)", "µs", bars(added), node),
            Chart("Added delay of a chunk of 1 KB (median)", "µs", bars(delay), node),
            Chart("CPU time for 1,000 chunks of 1 KB (median)", "ms", bars(cpu), node),
            Chart(
                "Throughput of a 200 MB body (median)",
                "MB/s",
                bars(speed),
                node,
                higher_is_better=True,
            ),
        ]
    )
