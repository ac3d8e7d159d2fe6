"""The answer cache of the local stack: a hit and a miss against GET /healthz."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from bench.measurement.machine import origin
from bench.measurement.page import Page, ratio, table
from bench.measurement.percentiles import median, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.gateways import SLUICE, launches, running_gateway
from bench.traffic.model_stream import KEY, MODEL, PATH
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Mapping
    from pathlib import Path

    from bench.measurement.plan import Plan
    from bench.subjects.gateways import Launch

ROUNDS = 400
REST_S = 0.005
"""Pause before each request, in seconds. What follows an answer, such as keeping it, takes up to
2 ms and belongs to no other request."""
CHUNKS, CHUNK_BYTES = 50, 250
LAST_CHUNK, HEAD_END = b"\r\n0\r\n\r\n", b"\r\n\r\n"
HEALTHZ, STREAM, WHOLE, MISS = "GET /healthz", "hit, streamed", "hit, whole", "miss, streamed"
KINDS = (HEALTHZ, STREAM, WHOLE, MISS)
INTRODUCTION = f"""# The answer cache on one machine

The local stack with CACHE_CHAT_COMPLETION=true and its default backend, SQLite; one client, one
kept connection, requests of each kind in turns, each to an idle stack. The answer has {CHUNKS}
chunks of {CHUNK_BYTES} bytes, which the model sends at once: a real one takes some hundred
milliseconds more for a miss.

* First byte and last byte are in microseconds from the request on. Lower is better.
* {TIMES}: ratio to {HEALTHZ}, of the first byte.
* "{WHOLE}": a request without `stream`, which gets the kept stream as one document.

"""

Measured = dict[str, list[tuple[float, float]]]
"""First and last byte in microseconds, by kind."""


def report(plan: Plan) -> Page:
    with running_on(OTHERS):
        measured = asyncio.run(_measure(plan))
    return _page(measured)


async def _measure(plan: Plan) -> Measured:
    measured: Measured = {kind: [] for kind in KINDS}
    seeds = count(1)
    launch = launches()[SLUICE]
    assert launch is not None  # noqa: S101 - it is this checkout

    def cached(folder: Path, port: int, upstream_port: int) -> Launch:
        own = launch(folder, port, upstream_port)
        return replace(own, environ={**own.environ, "CACHE_CHAT_COMPLETION": "true"})

    with timed_upstream() as upstream_port:
        async with running_gateway(SLUICE, cached, upstream_port) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            await _times(_chat(0, is_streamed=True), reader, writer)
            for kind in in_turns(KINDS, plan.times(ROUNDS)):
                wanted = {
                    HEALTHZ: _healthz(),
                    STREAM: _chat(0, is_streamed=True),
                    WHOLE: _chat(0, is_streamed=False),
                    MISS: _chat(next(seeds), is_streamed=True),
                }[kind]
                await asyncio.sleep(REST_S)
                measured[kind].append(await _times(wanted, reader, writer))
            writer.close()
    return measured


def _healthz() -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def _chat(seed: int, *, is_streamed: bool) -> bytes:
    text = f"{CHUNKS} chunks of {CHUNK_BYTES} bytes every 0 us"
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": MODEL, "stream": is_streamed, "seed": seed, "messages": messages})
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return f"{head}{body}".encode()


async def _times(wanted: bytes, reader: StreamReader, writer: StreamWriter) -> tuple[float, float]:
    """When the first byte of the body came, and its end."""
    began, first_ns, data = time.monotonic_ns(), 0, b""
    writer.write(wanted)
    while not data.endswith(LAST_CHUNK):
        piece = await reader.read(1 << 16)
        assert piece, "the stack closed the connection"  # noqa: S101 - the bench is over
        data += piece
        if not first_ns and data.partition(HEAD_END)[2]:
            first_ns = time.monotonic_ns()
    return (first_ns - began) / 1000, (time.monotonic_ns() - began) / 1000


def _page(measured: Measured) -> Page:
    rows = []
    reference = median(first for first, _ in measured[HEALTHZ])
    for kind, times in measured.items():
        first, last = (spread(each) for each in zip(*times, strict=True))
        figures = (first.p50, first.p99, last.p50, last.p99)
        rows.append([kind, ratio(first.p50, reference), *map(number, figures)])
    head = ["", TIMES, "first byte p50", "p99", "last byte p50", "p99"]
    text = [INTRODUCTION, table(head, rows), "\n![Answer cache](cache.svg)\n\n", origin()]
    return Page("".join(text), _picture(measured))


def _picture(measured: Mapping[str, list[tuple[float, float]]]) -> str:
    bars = [
        Bar(kind, median(first for first, _ in times), kind in (STREAM, WHOLE))
        for kind, times in measured.items()
    ]
    return svg([Chart("Time to the first byte (median)", "µs", bars, HEALTHZ)])
