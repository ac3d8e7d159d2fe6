"""From exec of a runtime until the first byte of its first answer: what a first caller waits for.

This includes what a function imports during its first event.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.measurement.page import TIMES, number, ratio, table
from bench.measurement.percentiles import Spread, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.runtimes import running
from bench.traffic.function_events import url_event
from bench.traffic.model_stream import StreamShape, arrivals
from bench.traffic.runtime_api import measuring_runtime_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.subjects.runtimes import Start

ONE_CHUNK = StreamShape(1, 250, 0)


def measure(starts: Mapping[str, Start], rounds: int) -> dict[str, Spread]:
    """Milliseconds of each start, in turns."""
    times: dict[str, list[float]] = {name: [] for name in starts}
    with running_on(OTHERS):
        for name in in_turns(list(starts), rounds):
            times[name].append(asyncio.run(_first_answer_ms(starts[name])))
    return {name: spread(values) for name, values in times.items()}


async def _first_answer_ms(start: Start) -> float:
    async with measuring_runtime_api() as api:
        started_ns = time.monotonic_ns()
        with running(start, api.address):
            record = await api.invoke(url_event(ONE_CHUNK))
    (_, arrived_ns), *_ = arrivals(record.pieces)
    return (arrived_ns - started_ns) / 1e6


def section(times: Mapping[str, Spread], reference: str) -> str:
    """Markdown. reference: the start that the others are compared with."""
    base = times[reference].p50 if reference in times else float("nan")
    rows = [
        [name, number(each.p50), number(each.p99), ratio(each.p50, base)]
        for name, each in times.items()
    ]
    return (
        "\n## First answer\n\n"
        "Milliseconds from exec until the first answer's first byte arrives. The event waits; the\n"
        f"upstream is on loopback. Lower is better. {TIMES}: ratio to {reference}.\n\n"
        f"{table(['start', 'wall', 'p99', TIMES], rows)}"
    )
