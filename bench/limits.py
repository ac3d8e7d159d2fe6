"""Limits: what a record with limits and a budget adds to the first byte of a warm `stream`."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.machine import origin
from bench.measurement.page import Page, table
from bench.measurement.percentiles import median, spread
from bench.measurement.plan import in_turns
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.limited import HOST, PLAIN_KEY, TABLE, TEAM_KEY, Place, RoundTrips
from bench.subjects.runtimes import bare_python, opt_folder
from bench.traffic.aws_endpoints import aws_endpoints
from bench.traffic.timed_upstream import timed_upstream
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import number
from tests.sluice.certificate_authority import CertificateAuthority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.measurement.plan import Plan
    from bench.subjects.limited import Function

ROUNDS = 200
"""Requests to each function, in turns; and round trips to each store."""
REST_S = 0.06
"""Before each request, in seconds: a kept connection rests for 50 ms before its next one."""
STORE_S = 0.005
"""How long DynamoDB takes to answer, in seconds."""
FAR_S = 0.015
"""How long a provider that is far away takes to begin a TLS handshake, in seconds."""
GOAL_MS = 1.0
"""How much longer than the one round trip a first byte may take."""
NONE, SQLITE, DYNAMODB = "no limits", "SQLite", f"DynamoDB, {STORE_S * 1000:g} ms"
STORES = (SQLITE, DYNAMODB)
KEPT, NEW = "a kept connection", "a new TLS connection"
FAR = f"a new TLS connection, {FAR_S * 1000:g} ms away"
UPSTREAMS = {KEPT: (False, 0.0), NEW: (True, 0.0), FAR: (True, FAR_S)}
"""Whether the provider closes each connection, and how long its handshakes wait."""
INTRODUCTION = f"""# Limits

Milliseconds until the first byte of a warm `stream` function under a bare Runtime API, for a key
with a record, a limit of requests, a limit of tokens and a budget, compared with a key without any.
The provider is on loopback, under TLS 1.3. Requests are in turns; the functions share a processor.
Lower is better.

* DynamoDB is a process on loopback, under TLS 1.3, that answers after {STORE_S * 1000:g} ms.
* Added: the median of the differences to the function without limits, round by round.
* A round trip: one change of an item from another process, next to the functions.
* Over: what is added less the round trip. The goal is {GOAL_MS:g} ms at most.
* "{FAR_S * 1000:g} ms away": the provider begins its handshake after {FAR_S * 1000:g} ms, longer
  than a store takes. The goal is to add nothing.
* CPU: of one request, with its settlement, which follows the client's last byte.

"""


@dataclass(slots=True)
class Series:
    """Measurements of one function."""

    first_byte_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def added_to(self, other: Series) -> float:
        pairs = zip(self.first_byte_ms, other.first_byte_ms, strict=True)
        return median(own - others for own, others in pairs)


@dataclass(slots=True)
class Measured:
    """By connection and store; round trips by store."""

    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    trips_ms: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in STORES})

    def added(self, connection: str, store: str) -> float:
        return self.series[connection, store].added_to(self.series[connection, NONE])

    def over(self, connection: str, store: str) -> float:
        return self.added(connection, store) - median(self.trips_ms[store])


def report(plan: Plan) -> Page:
    with running_on(OTHERS):
        return _page(asyncio.run(_measure(plan)))


async def _measure(plan: Plan) -> Measured:
    measured = Measured()
    async with AsyncExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        authority = CertificateAuthority(folder)
        authority.serving(HOST)  # it writes the file
        certificate = str(folder / "server.pem")
        port = open_things.enter_context(aws_endpoints({}, certificate, STORE_S))
        python = bare_python(folder / "bare")
        place = Place(python, opt_folder(folder, python), authority.file, folder, port)
        place.add_record()
        trips = open_things.enter_context(closing(RoundTrips(place)))
        functions = await _functions(place, certificate, open_things)
        for function in functions.values():
            await function.ask()
        for name in in_turns(list(functions), plan.times(ROUNDS)):
            await asyncio.sleep(REST_S / len(functions))
            asked = await functions[name].ask()
            series = measured.series.setdefault(name, Series())
            series.first_byte_ms.append(asked.first_byte_ms)
            series.cpu_ms.append(asked.cpu_ms)
            if name == (KEPT, NONE):  # once a round
                measured.trips_ms[SQLITE].append(trips.sqlite_ms())
                measured.trips_ms[DYNAMODB].append(trips.dynamodb_ms())
    return measured


async def _functions(
    place: Place, certificate: str, open_things: AsyncExitStack
) -> dict[tuple[str, str], Function]:
    settings = {
        NONE: (PLAIN_KEY, {}),
        SQLITE: (TEAM_KEY, {"STATE_FILE": str(place.file)}),
        DYNAMODB: (TEAM_KEY, {"STATE_TABLE": TABLE, **place.dynamodb}),
    }
    functions = {}
    for connection, (closes, opening_s) in UPSTREAMS.items():
        upstream = timed_upstream("", certificate, closes=closes, opening_s=opening_s)
        port = open_things.enter_context(upstream)
        for store, (key, environ) in settings.items():
            functions[connection, store] = await place.start(port, key, environ, open_things)
    return functions


def _page(measured: Measured) -> Page:
    text = [INTRODUCTION]
    for connection in UPSTREAMS:
        rows = {s: series for (c, s), series in measured.series.items() if c == connection}
        text += [f"## Over {connection}\n\n", _table(connection, rows, measured), "\n"]
    text += ["## Goals\n\n", _goals(measured), "\n![Limits](limits.svg)\n\n", origin()]
    return Page("".join(text), _picture(measured))


def _table(connection: str, rows: Mapping[str, Series], measured: Measured) -> str:
    head = ["", "first byte p50", "p99", "added", "round trip", "over", "CPU"]
    lines = []
    for store, series in rows.items():
        first = spread(series.first_byte_ms)
        cells = [store, number(first.p50), number(first.p99)]
        if store == NONE:
            cells += ["", "", ""]
        else:
            trip = median(measured.trips_ms[store])
            added, over = measured.added(connection, store), measured.over(connection, store)
            cells += [number(added), number(trip), number(over)]
        lines.append([*cells, number(median(series.cpu_ms))])
    return table(head, lines)


def _goals(measured: Measured) -> str:
    lines = []
    for connection in UPSTREAMS:
        is_far = connection == FAR
        for store in STORES:
            found = (measured.added if is_far else measured.over)(connection, store)
            what = "added" if is_far else "over the round trip"
            goal = f"{store}, {connection}: at most {GOAL_MS:g} ms {what}"
            lines.append([goal, number(found), "yes" if found <= GOAL_MS else "no"])
    return table(["goal", "ms", "reached"], lines)


def _picture(measured: Measured) -> str:
    charts = []
    for store in STORES:
        trip = Bar("the round trip by itself", median(measured.trips_ms[store]))
        bars = [Bar(name, measured.added(name, store), is_ours=True) for name in UPSTREAMS]
        title = f"Time that limits add to the first byte, {store} (median)"
        charts.append(Chart(title, "ms", [trip, *bars]))
    return svg(charts)
