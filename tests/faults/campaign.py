"""Runs cases against the real local stack, with a model and proxies that misbehave.

Everything but the stack and its functions runs in one event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.faults import wire
from tests.faults.accounts import Accounts
from tests.faults.cases import URL, Case, Cases, Fault, Way, case_of
from tests.faults.connections import ConnectionsProxy
from tests.faults.model import Model
from tests.faults.oracle import PART
from tests.faults.processes import Processes, lay_service
from tests.faults.tally import Tally
from tests.faults.url_client import REFUSED, UrlRequest
from tests.faults.websocket_client import Client
from tests.running_stack import RunningStack, stack
from tests.scripted_upstream import refused_url

FORWARD_KEY = "fk-faults-0123456789abcdef"
STACK_FAILED = ("Error handling request", "Task exception", "Exception in")
"""How aiohttp and asyncio begin to report an exception that the stack does not handle."""
LAST_NUMBER = 10**9  # more than a campaign can have
CLIENTS = 8
CONCURRENCY = 10
"""Processes per function: more than clients, as an answer goes on when its client has left."""
SETTINGS = {
    "OPENAI_API_KEY": "sk-faults-0123456789abcdef",
    "FORWARD_KEY": FORWARD_KEY,
    "FUNCTION_URL_AUTH": "none",
    "UPSTREAM_FIRST_BYTE_TIMEOUT": "5",
    "UPSTREAM_READ_TIMEOUT": "5",
    "EXTRA_BASE_URL": refused_url(),
    "EXTRA_ROUTE_PREFIX": REFUSED,
    "EXTRA_API_KEY": "-",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign does. `only`: these cases; otherwise at least one round of all faults."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]
    only: Collection[int] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the service, on top of SETTINGS."""
    kills: int = 0
    """How many processes to kill at least. If any, each case has a key with a budget."""

    def cases(self, killed: Callable[[], int]) -> Iterator[Case]:
        """Yield cases until the time is over, each fault has had its turn, and enough were killed.

        killed: how many processes were killed so far.
        """
        if self.only:
            yield from (case_of(self.seed, number, self.faults) for number in self.only)
            return
        end = time.monotonic() + self.seconds
        for number in itertools.count():
            is_done = number >= len(self.faults) and killed() >= self.kills
            if is_done and time.monotonic() > end:
                return
            yield case_of(self.seed, number, self.faults)

    def last_cases(self) -> Iterator[Case]:
        """Yield a case without a fault for each way; none if only some cases are repeated."""
        ways = () if self.only else Way
        return (Case.plain(number, way) for number, way in enumerate(ways, start=LAST_NUMBER))


@dataclass(frozen=True, slots=True)
class Service:
    """The running stack, and the cases that the parties around it know."""

    stack: RunningStack
    cases: Cases
    accounts: Accounts | None

    def key_of(self, case: Case) -> str:
        return self.accounts.key_of(case) if self.accounts else FORWARD_KEY

    @property
    def http_port(self) -> int:
        return urlsplit(self.stack.url).port or 0


@asynccontextmanager
async def service(
    plan: Plan, tally: Tally, proxy_type: type[ConnectionsProxy]
) -> AsyncIterator[Service]:
    """Run the stack between a model and proxies of ours."""
    cases = Cases()
    proxy = proxy_type(cases)
    async with AsyncExitStack() as around:
        model = await around.enter_async_context(wire.serving(Model(cases).serve))
        connections = await around.enter_async_context(wire.serving(proxy.serve))
        processes = await around.enter_async_context(Processes(cases))
        wrapper = await around.enter_async_context(wire.serving(processes.serve))
        folder = Path(around.enter_context(TemporaryDirectory(prefix="sluice-faults-")))
        accounts = Accounts(folder / "state.sqlite3", tally) if plan.kills else None
        environ = {
            **SETTINGS,
            **(accounts.settings if accounts else {}),
            **plan.settings,
            "OPENAI_BASE_URL": f"http://127.0.0.1:{model}/v1",
            "API_GW_ENDPOINT": f"http://127.0.0.1:{connections}",
        }
        config = lay_service(folder, wrapper)
        with ExitStack() as inside:
            starting = stack(config, "--concurrency", str(CONCURRENCY), **environ)
            running = await asyncio.to_thread(inside.enter_context, starting)
            try:
                _, websocket_url = await asyncio.to_thread(running.wait_ready)
                proxy.target = urlsplit(websocket_url).port or 0
                yield Service(running, cases, accounts)
                if accounts:
                    await accounts.wait_until_settled()
            finally:
                await asyncio.to_thread(inside.close)
        if accounts:
            accounts.check()


async def run(plan: Plan, proxy_type: type[ConnectionsProxy] = ConnectionsProxy) -> Tally:
    """Run a campaign, and then one case without a fault for each way."""
    tally = Tally()
    async with service(plan, tally, proxy_type) as running:
        cases = plan.cases(lambda: running.cases.kills)
        clients = (_client(running, cases, tally) for _ in range(CLIENTS))
        await asyncio.gather(*clients)
        await _client(running, plan.last_cases(), tally)
        tally.kills = running.cases.kills
        tally.output = running.stack.lines
    for line in tally.output:
        if line.startswith(STACK_FAILED) or PART.search(line):
            tally.findings.append(f"the output of the stack has {line!r}")
    return tally


async def _client(running: Service, cases: Iterator[Case], tally: Tally) -> None:
    """Take one case after the other."""
    key_of = running.key_of if running.accounts else None
    client = Client(running.stack.websocket_url, tally.add_stray, key_of)
    for case in cases:
        running.cases.begin(case)
        try:
            if case.way in URL:
                seen = await UrlRequest(case, running.http_port, running.key_of(case)).run()
            else:
                seen = await client.run(case)
        finally:
            running.cases.end(case)
        tally.add(case, seen)
        if running.accounts:
            running.accounts.add(case, seen)
    await client.leave()
