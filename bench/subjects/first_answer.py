"""From exec of a runtime until the first byte of its first answer: what a first caller waits for.

This includes what a function imports during its first event.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measurement.child_process import StartFailedError
from bench.measurement.page import ratio, table
from bench.measurement.percentiles import Spread, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.runtimes import running
from bench.traffic.function_events import url_event
from bench.traffic.model_stream import STAMP, StreamShape, arrival_of
from bench.traffic.runtime_api import measuring_runtime_api
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.subjects.runtimes import Start

ONE_CHUNK = StreamShape(1, 250, 0)


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """Milliseconds from exec, and from the event, until the answer's first text arrived."""

    from_exec_ms: float
    from_event_ms: float


def measure(starts: Mapping[str, Start], rounds: int) -> dict[str, Spread]:
    """Milliseconds of each start, in turns."""
    times: dict[str, list[float]] = {name: [] for name in starts}
    with running_on(OTHERS):
        for name in in_turns(list(starts), rounds):
            answer = asyncio.run(first_answer(starts[name], url_event(ONE_CHUNK)))
            times[name].append(answer.from_exec_ms)
    return {name: spread(values) for name, values in times.items()}


async def first_answer(
    start: Start,
    event: bytes,
    text: re.Pattern[bytes] = STAMP,
    prepare: Callable[[], None] | None = None,
) -> FirstAnswer:
    """Start a function and give it an event. text: what a right answer begins with.

    prepare: called in the new process, before exec.
    """
    async with measuring_runtime_api() as api:
        started_ns = time.monotonic_ns()
        with running(start, api.address, prepare):
            record = await api.invoke(event)
    arrived_ns = arrival_of(text, record.pieces)
    if arrived_ns is None:
        raise StartFailedError(f"unexpected answer: {record.pieces}")
    return FirstAnswer((arrived_ns - started_ns) / 1e6, (arrived_ns - record.started_ns) / 1e6)


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
