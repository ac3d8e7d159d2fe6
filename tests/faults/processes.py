"""A proxy between each function's process and its Runtime API, which can also kill the process.

An exec wrapper registers each process here before it starts. So the campaign knows which process
works on which case, and strikes no other.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Self

from tests.faults import wire
from tests.faults.cases import ANSWER, CONNECT_EVENT, EVENT, Border, Case, Cases, Step
from tests.faults.oracle import Verdict
from tests.running_stack import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

WRAPPER = """#!/bin/bash
# Exchanges the address of the Runtime API for that of a proxy, then starts the real wrapper.
exec 3<>/dev/tcp/127.0.0.1/{port}
echo "$$ $AWS_LAMBDA_FUNCTION_NAME $AWS_LAMBDA_RUNTIME_API" >&3
read -r AWS_LAMBDA_RUNTIME_API <&3
exec 3>&-
export AWS_LAMBDA_RUNTIME_API
exec "${{0%/*}}/real-bootstrap" "$@"
"""
HOST = re.compile(rb"(?i)\r\nhost: .*\r\n")
"""The Runtime API accepts only its own address here."""
NEXT = b"/invocation/next "
LATEST_KILL_S = 0.15
"""Maximum time from an event to a late kill, in seconds: about as long as most answers take."""

LAST_KILL_S = 0.6
"""The same for a process that has just started, which takes longer."""


class Exchange:
    """One request of a function's process and its reply. A fault is a list of these steps."""

    def __init__(
        self, process: Process, head: bytes, function: Connection, api: Connection
    ) -> None:
        self._process = process
        self._head = head
        self._from_function, self._to_function = function
        self._from_api, self._to_api = api
        self.reply = b""

    async def pass_request(self) -> None:
        await wire.write(self._to_api, self._head)
        async for piece in wire.read_body(self._from_function, self._head):
            await wire.write(self._to_api, piece)

    async def pass_half_request(self) -> None:
        """Pass the head and half of the first piece of the body."""
        await wire.write(self._to_api, self._head)
        async for piece in wire.read_body(self._from_function, self._head):
            await wire.write(self._to_api, piece[: len(piece) // 2])
            break

    async def take_reply(self) -> None:
        """Let the Runtime API reply; a later step passes it."""
        head, body = await wire.read_whole(self._from_api)
        self.reply = head + body

    async def pass_reply(self) -> None:
        await wire.write(self._to_function, self.reply)

    async def pass_half_reply(self) -> None:
        await wire.write(self._to_function, self.reply[: len(self.reply) // 2])

    async def drip_reply(self) -> None:
        await wire.drip(self._to_function, self.reply)

    async def reset(self) -> None:
        wire.reset(self._to_function)
        raise wire.HangUp

    async def close(self) -> None:
        raise wire.HangUp

    async def kill(self) -> None:
        self._process.kill()
        raise wire.HangUp

    async def kill_soon(self) -> None:
        """Kill the process at some moment, unless it has finished its work by then."""
        self._kill_within(LATEST_KILL_S)

    async def kill_later(self) -> None:
        """The same, also at the end of a long answer."""
        self._kill_within(LAST_KILL_S)

    def _kill_within(self, limit_s: float) -> None:
        case = self._process.case
        assert case is not None
        seconds = case.random.random() * limit_s
        asyncio.get_running_loop().call_later(seconds, self._process.kill_at_work_on, case)


PLAIN_ANSWER: Sequence[Step] = (Exchange.pass_request, Exchange.take_reply, Exchange.pass_reply)
PLAIN_EVENT: Sequence[Step] = (Exchange.pass_reply,)


class Process:
    """A function's process. `case` is what it works on."""

    def __init__(self, cases: Cases, pid: int, function: str, address: str) -> None:
        self._cases = cases
        self._pid = pid
        self._event = CONNECT_EVENT if function.endswith("-connect") else EVENT
        self._address = address
        self._host = f"\r\nHost: {address}\r\n".encode()
        self._is_alive = True
        self.case: Case | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._address.rpartition(":")
        api = await asyncio.open_connection(host, int(port), limit=wire.MAX_HEAD_BYTES)
        try:
            while True:
                head = HOST.sub(self._host, await wire.read_head(reader))
                if not self._is_alive:  # its last request must not take another case's event
                    raise wire.HangUp
                exchange = Exchange(self, head, (reader, writer), api)
                for step in await self._steps(exchange, is_next=NEXT in head):
                    await step(exchange)
        finally:
            api[1].close()

    async def _steps(self, exchange: Exchange, *, is_next: bool) -> Sequence[Step]:
        if not is_next:
            return self._struck(ANSWER, PLAIN_ANSWER)
        self.case = None
        await exchange.pass_request()
        await exchange.take_reply()
        self.case = self._cases.asked_in(exchange.reply)
        return self._struck(self._event, PLAIN_EVENT)

    def _struck(self, moment: str, plain: Sequence[Step]) -> Sequence[Step]:
        # Kills come first: an answer that is posted again may have reached its client.
        for border in (Border.FUNCTION, Border.RUNTIME_API):
            if self.case is not None and (fault := self.case.strike(border, moment)):
                return fault.steps
        return plain

    def kill_at_work_on(self, case: Case) -> None:
        if self.case is case:
            self.kill()

    def kill(self) -> None:
        if self._is_alive:
            self._is_alive = False
            if self.case is not None:
                self.case.kills += 1
                self._cases.kills += 1
            if self.case is not None and Verdict.SILENT in self.case.allowed():
                self.case.hurry()
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


class Processes:
    """Registers processes: `serve` is for the wrapper's connection. A context manager."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._proxies = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._proxies.aclose()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a process a proxy of its own, which lasts until the campaign ends."""
        pid, function, address = (await reader.readline()).decode().split()
        process = Process(self._cases, int(pid), function, address)
        port = await self._proxies.enter_async_context(wire.serving(process.serve))
        await wire.write(writer, f"127.0.0.1:{port}\n".encode())


def lay_service(folder: Path, port: int) -> Path:
    """Make a copy of the service whose processes register at this port; return its settings."""
    runtime = folder / "layers" / "runtime"
    runtime.mkdir(parents=True)
    (folder / "functions").symlink_to(ROOT / "functions")
    (folder / "layers" / "shared").symlink_to(ROOT / "layers" / "shared")
    (runtime / "python").symlink_to(ROOT / "layers" / "runtime" / "python")
    (runtime / "real-bootstrap").symlink_to(ROOT / "layers" / "runtime" / "bootstrap")
    wrapper = runtime / "bootstrap"
    wrapper.write_text(WRAPPER.format(port=port), encoding="utf-8")
    wrapper.chmod(0o755)
    config = folder / "serverless.yml"
    config.write_bytes((ROOT / "serverless.yml").read_bytes())  # a link would lead to ROOT
    return config
