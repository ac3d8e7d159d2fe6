"""As deployed: first answers with keys in SSM, the state table and TLS.

The other benches read keys from variables and do without TLS. Here the functions are what
`sls package` makes, with the settings of a deployment.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.child_process import StartFailedError
from bench.measurement.cpu_quota import PERIOD_US, cpu_quota, has_cpu_quota
from bench.measurement.machine import origin
from bench.measurement.page import Page, ratio, skipped, table
from bench.measurement.percentiles import Spread, median, spread
from bench.measurement.plan import in_turns
from bench.measurement.process_cost import peak_rss_mb
from bench.measurement.processors import OTHERS, running_on
from bench.subjects.deployed_python import deployed_python, version_of
from bench.subjects.deployment import (
    CONNECT,
    CONNECT_PLAIN,
    NODE,
    STOCK,
    STREAM,
    STREAM_PLAIN,
    Subject,
    deployed,
    subjects,
)
from bench.subjects.first_answer import FirstAnswer, first_answer
from bench.subjects.installation import LAMBDA_PYTHON
from bench.subjects.packaged import PackagedService, package_service
from bench.subjects.runtimes import bare_python, running
from bench.traffic.cloud import Cloud, cloud
from bench.traffic.connections_api import connections_api
from bench.traffic.function_events import websocket_event
from bench.traffic.model_stream import StreamShape
from bench.traffic.runtime_api import measuring_runtime_api
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.measurement.plan import Plan


@dataclass(frozen=True, slots=True)
class Share:
    """Part of one processor. starts: of each subject, in turns."""

    name: str
    part: float
    starts: int


WHOLE, QUARTER, SEVENTH = (
    Share("one processor", 1.0, 20),
    Share("a quarter", 1 / 4, 10),
    Share("a seventh", 1 / 7, 8),
)
SHARES = (WHOLE, QUARTER, SEVENTH)
MESSAGES = 3  # to `default`, each to a new process
LONG_ANSWER = StreamShape(40, 250, 50_000)  # 2 s: it looks for cancellations, more than once
PERIOD_MS = PERIOD_US // 1000
NO_QUOTA = "shares of a processor: requires root, and cgroups with the cpu controller"
INTRODUCTION = f"""# As deployed

Milliseconds until the first byte of a function's first answer; medians. Lower is better. The
functions are what `sls package` makes, with its settings: keys in SSM parameters, the state table,
TLS 1.3 to SSM, DynamoDB and the provider. Those run on loopback and answer at once. "Plain
variables": the keys are in variables, the rest is the same.

* exec: from exec of the runtime. event: from the event, which waits for the runtime.
* {TIMES}: ratio of exec to the function as deployed, in the same run.
* A quarter and a seventh of a processor: the kernel's quota (cgroup) for each {PERIOD_MS} ms, from
  exec on. A seventh is what Lambda gives 256 MB.
* `stream` and `connect` check a forward key, which is in SSM too. The peers read one key.

"""


@dataclass(frozen=True, slots=True)
class Row:
    """One subject with one share of a processor; milliseconds."""

    from_exec: Spread
    from_event: Spread


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of two rows, from exec."""

    text: str
    subject: str
    reference: str
    limit: float


RATIOS = (
    Goal("`stream`, as deployed / plain variables", STREAM, STREAM_PLAIN, 1.6),
    Goal("`stream` / Node.js client", STREAM, NODE, 0.6),
    Goal("`stream` / stock Python client", STREAM, STOCK, 0.2),
    Goal("`connect`, as deployed / plain variables", CONNECT, CONNECT_PLAIN, 1.8),
)
MAX_CONNECT_MS = 120  # from its event, at a seventh of a processor
MAX_DEFAULT_MB = 32
Rows = dict[str, dict[str, Row]]  # by share, then by subject


def report(plan: Plan) -> Page:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _python(folder)
        service = package_service(folder, python)
        with cloud(folder) as everything:
            service.trust(everything.authority)
            found = subjects(folder, service, everything)
            rows = _rows({name: each for name, each in found.items() if each}, plan)
            default_mb = median(
                asyncio.run(memory_of_default(service, everything))
                for _ in range(plan.times(MESSAGES))
            )
        missing = [
            f"{name}: `npm run bench -- --install-peers`" for name in found if not found[name]
        ]
        if len(rows) < len(SHARES):
            missing.append(NO_QUOTA)
        return _page(rows, default_mb, missing, version_of(python))


def _python(folder: Path) -> str:
    """The deployed Python, with boto3 if the peers are installed, as on Lambda."""
    if LAMBDA_PYTHON.exists():
        return str(LAMBDA_PYTHON)
    return bare_python(folder / "bare", deployed_python() or sys.executable)


def _rows(measured: Mapping[str, Subject], plan: Plan) -> Rows:
    shares = SHARES if has_cpu_quota() else (WHOLE,)
    rows = {}
    for share in shares:
        answers: dict[str, list[FirstAnswer]] = {name: [] for name in measured}
        with running_on(OTHERS), _quota(share) as enter:
            for name in in_turns(list(measured), plan.times(share.starts)):
                each = measured[name]
                answer = first_answer(each.start, each.event, each.text, enter)
                answers[name].append(asyncio.run(answer))
        rows[share.name] = {name: _row(each) for name, each in answers.items()}
    return rows


@contextmanager
def _quota(share: Share) -> Iterator[Callable[[], None] | None]:
    if share == WHOLE:
        yield None
    else:
        with cpu_quota(share.part) as enter:
            yield enter


def _row(answers: Sequence[FirstAnswer]) -> Row:
    return Row(
        spread(each.from_exec_ms for each in answers),
        spread(each.from_event_ms for each in answers),
    )


async def memory_of_default(service: PackagedService, everything: Cloud) -> float:
    """Peak memory of `default` after it has sent one long answer to its client."""
    async with AsyncExitStack() as open_things:
        api = await open_things.enter_async_context(measuring_runtime_api())
        connections = connections_api(tls=everything.server)
        client = await open_things.enter_async_context(connections)
        environ = {**deployed(everything), "API_GW_ENDPOINT": f"https://127.0.0.1:{client.port}"}
        start = service.start("default", environ)
        process = open_things.enter_context(running(start, api.address))
        await api.invoke(websocket_event(LONG_ANSWER))
        await api.wait_until_idle()
        if client.size < LONG_ANSWER.chunks * LONG_ANSWER.chunk_bytes / 2:
            raise StartFailedError(f"`default` sent only {client.size} bytes to its client")
        return peak_rss_mb(process.pid)


def _page(rows: Rows, default_mb: float, missing: Sequence[str], python: str) -> Page:
    text = [
        INTRODUCTION,
        _times(rows),
        f"\n`default`, as deployed: {number(default_mb)} MB of memory (VmHWM) after its first"
        " answer, 2 s long, which looks for cancellations in the table.\n\n## Goals\n\n",
        _goals(rows, default_mb),
        "\n![First answers as deployed](as_deployed.svg)\n\n",
        skipped(missing),
        origin(python),
    ]
    return Page("".join(text), svg([_chart(rows[share.name], share) for share in _shares(rows)]))


def _shares(rows: Rows) -> list[Share]:
    return [share for share in SHARES if share.name in rows]


def _times(rows: Rows) -> str:
    head = ["function"]
    for share in _shares(rows):
        head += [f"{share.name}: exec", "p99", TIMES, "event"]
    return table(head, [_cells(name, rows) for name in rows[WHOLE.name]])


def _cells(name: str, rows: Rows) -> list[str]:
    cells = [name]
    for share in _shares(rows):
        of_share = rows[share.name]
        row, reference = of_share[name], of_share[_reference(name)]
        cells += [number(row.from_exec.p50), number(row.from_exec.p99)]
        cells += [ratio(row.from_exec.p50, reference.from_exec.p50), number(row.from_event.p50)]
    return cells


def _reference(name: str) -> str:
    return CONNECT if name in (CONNECT, CONNECT_PLAIN) else STREAM


def _goals(rows: Rows, default_mb: float) -> str:
    shares = _shares(rows)
    head = ["goal", "at most", *(share.name for share in shares)]
    lines = [
        [goal.text, str(goal.limit), *(_ratio(goal, rows[share.name]) for share in shares)]
        for goal in RATIOS
    ]
    of_connect = [number(rows[share.name][CONNECT].from_event.p50) for share in shares]
    lines.append(["`connect`, from its event, at a seventh, ms", str(MAX_CONNECT_MS), *of_connect])
    nothing = [""] * (len(shares) - 1)
    lines.append(["`default`, MB", str(MAX_DEFAULT_MB), number(default_mb), *nothing])
    return table(head, lines)


def _ratio(goal: Goal, of_share: Mapping[str, Row]) -> str:
    if goal.reference not in of_share:
        return ratio(float("nan"), 1)
    measured, reference = of_share[goal.subject], of_share[goal.reference]
    return ratio(measured.from_exec.p50, reference.from_exec.p50)


def _chart(of_share: Mapping[str, Row], share: Share) -> Chart:
    ours = (STREAM, STREAM_PLAIN, CONNECT, CONNECT_PLAIN)
    bars = [
        Bar(name.replace("`", ""), row.from_exec.p50, name in ours)
        for name, row in of_share.items()
    ]
    title = f"From exec to the first byte of the first answer, {share.name} (median)"
    return Chart(title, "ms", bars, STREAM.replace("`", ""))
