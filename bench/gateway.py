"""Gateways on one machine: the local stack and others, by number of streams at once."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.measurement.machine import origin
from bench.measurement.page import Page, ratio, skipped, table
from bench.measurement.percentiles import median, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.gateways import (
    NGINX,
    SLUICE,
    Gateway,
    GatewayFailedError,
    launches,
    missing_gateways,
    running_gateway,
)
from bench.traffic.model_stream import StreamRecord, StreamShape, delays_us, first_byte_us
from bench.traffic.stream_client import StreamClient, request
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measurement.plan import Plan

AT_ONCE = (1, 16, 64)
CHUNKS, CHUNK_BYTES, GAP_US = 50, 250, 20_000  # a stream of a second, at 50 tokens a second
PACED = StreamShape(CHUNKS, CHUNK_BYTES, GAP_US)
BURST = StreamShape(CHUNKS, CHUNK_BYTES, 0)
STREAMS_PER_ROUND = {1: 5, 16: 1, 64: 1}  # by each client
BURST_SECONDS = 1.0
ROUNDS = 5
DIRECT = "upstream, no gateway"
INTRODUCTION = f"""# Gateways on one machine

The same upstream and client for all; {CHUNKS} chunks of {CHUNK_BYTES} bytes per stream; rounds in
turns. A gateway has one processor for all of its processes; upstream and client have the others.

* First byte, delay, CPU: one chunk every {GAP_US // 1000} ms. Lower is better.
* First byte and delay are in microseconds; a chunk's delay is from the upstream's `write` to the
  client's `read`. CPU is in milliseconds for 1,000 chunks.
* Streams per second: chunks as fast as the client takes them. Higher is better.
* RSS: sum of the peaks of all processes.
* {TIMES}: ratio to {NGINX}.

"""


@dataclass(slots=True)
class Series:
    """Measurements of one gateway at one number of streams at once."""

    first_byte_us: list[float] = field(default_factory=list)
    delays_us: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """For 1,000 chunks."""
    streams_per_s: list[float] = field(default_factory=list)
    rss_mb: float = math.nan
    processes: int = 0
    errors: int = 0


Measured = dict[tuple[int, str], Series]


def report(plan: Plan) -> Page:
    with running_on(OTHERS):
        measured, missing = asyncio.run(_measure(plan))
    return _page(measured, missing)


async def _measure(plan: Plan) -> tuple[Measured, list[str]]:
    """Start each gateway again for each round, so that none idles next to another."""
    measured: Measured = {}
    missing = missing_gateways()
    with timed_upstream() as upstream_port:
        for name in in_turns([DIRECT, *_installed()], plan.times(ROUNDS)):
            try:
                await _round(name, upstream_port, measured)
            except GatewayFailedError as error:
                missing.append(str(error))
    return measured, missing


def _installed() -> list[str]:
    return [name for name, launch in launches().items() if launch is not None]


async def _round(name: str, upstream_port: int, measured: Measured) -> None:
    launch = launches().get(name)
    if launch is None:
        await _at_each_number(Gateway(name, upstream_port), measured)
        return
    async with running_gateway(name, launch, upstream_port) as gateway:
        await _at_each_number(gateway, measured)


async def _at_each_number(gateway: Gateway, measured: Measured) -> None:
    for number_at_once in AT_ONCE:
        clients = [StreamClient(gateway.port) for _ in range(number_at_once)]
        series = measured.setdefault((number_at_once, gateway.name), Series())
        await _warm_up(gateway, clients)
        await _paced(gateway, clients, series)
        await _burst(clients, series)
        if gateway.processes is not None:
            series.rss_mb = gateway.processes.peak_rss_mb()
            series.processes = gateway.processes.size()
        for client in clients:
            client.close()


async def _warm_up(gateway: Gateway, clients: Sequence[StreamClient]) -> None:
    """Run streams until no new process starts: the local stack has one per stream."""
    before, now = -1, 0
    while now != before:
        await _streams(clients, PACED, 1)
        before, now = now, gateway.processes.size() if gateway.processes else 0


async def _paced(gateway: Gateway, clients: Sequence[StreamClient], series: Series) -> None:
    before = gateway.processes.cpu_s() if gateway.processes else 0.0
    records = await _streams(clients, PACED, STREAMS_PER_ROUND[len(clients)])
    if gateway.processes is not None:
        spent_s = gateway.processes.cpu_s() - before
        series.cpu_ms.append(spent_s * 1000 * 1000 / (CHUNKS * len(records)))
    for record in records:
        series.first_byte_us += first_byte_us(record)
        series.delays_us += delays_us(record)
        series.errors += not record.is_whole


async def _burst(clients: Sequence[StreamClient], series: Series) -> None:
    started = time.monotonic()

    async def streams_of(client: StreamClient) -> int:
        whole = 0
        while time.monotonic() < started + BURST_SECONDS:
            record = await client.ask(request(BURST), keeps_pieces=False)
            whole += record.is_whole
            series.errors += not record.is_whole
        return whole

    done = sum(await asyncio.gather(*map(streams_of, clients)))
    series.streams_per_s.append(done / (time.monotonic() - started))


async def _streams(
    clients: Sequence[StreamClient], shape: StreamShape, each: int
) -> list[StreamRecord]:
    """`each` streams by each client, in sequence; the clients' starts are spread over one gap."""
    wanted = request(shape)

    async def streams_of(position: int, client: StreamClient) -> list[StreamRecord]:
        await asyncio.sleep(position / len(clients) * shape.gap_us / 1e6)
        return [await client.ask(wanted) for _ in range(each)]

    found = await asyncio.gather(*(streams_of(i, client) for i, client in enumerate(clients)))
    return [record for records in found for record in records]


def _page(measured: Measured, missing: Sequence[str]) -> Page:
    text = [INTRODUCTION]
    for number_at_once in AT_ONCE:
        rows = {name: s for (of, name), s in measured.items() if of == number_at_once}
        text += [f"## {number_at_once} at once\n\n", _table(rows), "\n"]
    text += ["![Gateways](gateway.svg)\n\n", skipped(missing), origin()]
    return Page("".join(text), _picture(measured))


def _table(rows: Mapping[str, Series]) -> str:
    head = ["", "first byte p50", "p99", TIMES, "delay p50", "p99", "CPU ms", TIMES, "processes"]
    reference = rows.get(NGINX, Series())
    lines = [_cells(name, series, reference) for name, series in rows.items()]
    return table([*head, "streams/s", "RSS MB", "errors"], lines)


def _cells(name: str, series: Series, reference: Series) -> list[str]:
    first, delay = spread(series.first_byte_us), spread(series.delays_us)
    cpu_ms = median(series.cpu_ms)
    return [
        name,
        number(first.p50),
        number(first.p99),
        ratio(first.p50, median(reference.first_byte_us)),
        number(delay.p50),
        number(delay.p99),
        number(cpu_ms),
        ratio(cpu_ms, median(reference.cpu_ms)),
        str(series.processes or ""),
        number(median(series.streams_per_s)),
        number(series.rss_mb),
        str(series.errors),
    ]


def _picture(measured: Measured) -> str:
    charts = []
    for number_at_once in AT_ONCE:
        rows = {name: s for (of, name), s in measured.items() if of == number_at_once}
        first = {name: median(series.first_byte_us) for name, series in rows.items()}
        cpu = {name: median(series.cpu_ms) for name, series in rows.items()}
        streams = f"{number_at_once} stream{'s' * (number_at_once > 1)} at once"
        charts += [
            Chart(f"Time to the first byte, {streams} (median)", "µs", _bars(first), NGINX),
            Chart(f"CPU time for 1,000 chunks, {streams} (median)", "ms", _bars(cpu), NGINX),
        ]
    return svg(charts)


def _bars(values: Mapping[str, float]) -> list[Bar]:
    return [Bar(name, value, name == SLUICE) for name, value in values.items()]
