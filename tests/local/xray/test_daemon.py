"""The daemon's port, on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.limits import MAX_HELD_DOCUMENTS
from local.xray.daemon import TraceDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "1-6748a1b2-0123456789abcdef01234567"


def header(segment: str) -> str:
    return f"Root={TRACE};Parent={segment};Sampled=1"


def document(name: str, parent: str) -> bytes:
    fields = {"name": name, "id": "0" * 15 + name[-1], "trace_id": TRACE, "parent_id": parent}
    body = json.dumps({**fields, "start_time": 10.0, "end_time": 11.0})
    return b'{"format":"json","version":1}\n' + body.encode()


@contextmanager
def daemon(shown: list[str]) -> Iterator[tuple[TraceDaemon, socket.socket]]:
    """A daemon, and a socket that sends to it."""
    running = TraceDaemon(shown.append)
    host, _, port = running.environment()["AWS_XRAY_DAEMON_ADDRESS"].partition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect((host, int(port)))
            yield running, sender
    finally:
        running.close()


def test_invocations_of_one_trace_have_trees_of_their_own() -> None:
    async def run() -> list[str]:
        shown: list[str] = []
        with daemon(shown) as (running, sender):
            sender.send(document("part-a", "a" * 16))
            sender.send(document("part-b", "b" * 16))
            running.invocation_ended("stream", header("b" * 16), 10.0, 12.0)
            sender.send(document("part-c", "a" * 16))
            running.invocation_ended("default", header("a" * 16), 10.0, 12.0)
            running.invocation_ended("default", "", 10.0, 12.0)  # no trace
        return shown

    second, first = asyncio.run(run())
    assert ("part-b" in second, "part-a" in second) == (True, False)
    assert [name for name in ("part-a", "part-b", "part-c") if name in first] == [
        "part-a",
        "part-c",
    ]


def test_document_that_x_ray_would_drop_is_reported_at_once() -> None:
    async def run() -> list[str]:
        shown: list[str] = []
        came = asyncio.Event()

        def show(text: str) -> None:
            shown.append(text)
            came.set()

        running = TraceDaemon(show)
        address = running.environment()["AWS_XRAY_DAEMON_ADDRESS"].split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"nonsense", (address[0], int(address[1])))
        await came.wait()
        running.close()
        return shown

    assert asyncio.run(run()) == ["X-Ray would drop a document: the header is not JSON."]


def test_documents_of_invocations_that_never_end_are_dropped() -> None:
    async def run() -> list[str]:
        shown: list[str] = []
        with daemon(shown) as (running, sender):
            sender.send(document("part-a", "a" * 16))
            for _ in range(MAX_HELD_DOCUMENTS):
                sender.send(document("part-b", "b" * 16))
                running.invocation_ended("stream", header("c" * 16), 10.0, 12.0)
            shown.clear()
            running.invocation_ended("stream", header("a" * 16), 10.0, 12.0)
        return shown

    (shown,) = asyncio.run(run())
    assert "part-a" not in shown
