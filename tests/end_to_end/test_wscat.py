"""The WebSocket API, used by wscat: every kind of request."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import FORWARD_KEY
from tests.running_stack import PATIENCE_S, ROOT, RunningStack
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    ScriptedUpstream,
    chunk,
    delta,
    holds_after,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WSCAT = ROOT / "node_modules/.bin/wscat"
HELLO = [{"role": "user", "content": "Hello"}]


class Wscat:
    """wscat under way, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.printed = ""

    def read_until(self, part: str) -> None:
        assert self._process.stdout is not None
        while part not in self.printed:
            character = self._process.stdout.read(1)
            assert character, self.printed
            self.printed += character


@contextmanager
def wscat(url: str, *messages: object, header: str = "") -> Iterator[Wscat]:
    """wscat, which sends the messages as soon as it is connected."""
    executed = [part for message in messages for part in ("-x", json.dumps(message))]
    headers = ["-H", header] if header else []
    with subprocess.Popen(
        [WSCAT, "--no-color", "-c", url, "-w", "60", *executed, *headers],
        stdin=subprocess.PIPE,  # wscat leaves as soon as its input ends
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Wscat(process)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ({"action": "sendmessage", "data": "Hello"}, "7]]"),
        ({"messages": HELLO}, "<END>"),
        ({"messages": HELLO, "response_type": "full"}, "So [[-7]]"),
        ({"messages": HELLO, "response_type": "int"}, "-7"),
        ({"messages": HELLO, "response_type": "string"}, "-7"),
        ({"action": "chat", "id": "1", "request": {"messages": HELLO}}, '"done":true'),
        ({"model": "m", "messages": HELLO}, '"done":true'),
        ({"action": "ping"}, '"pong"'),
        ({"action": "dance"}, '"invalid_field"'),
    ],
    ids=["plain", "stream", "full", "int", "string", "chat", "native", "ping", "wrong"],
)
def test_each_kind_of_request_is_answered(
    signed_stack: RunningStack, upstream: ScriptedUpstream, message: object, printed: str
) -> None:
    upstream.script = says("So ", "[[-", "7]]")
    with wscat(signed_stack.websocket_url, message) as terminal:
        terminal.read_until(printed)


def test_chat_is_cancelled(signed_stack: RunningStack, upstream: ScriptedUpstream) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD + chunk(delta("first")))
    chat = {"action": "chat", "id": "1", "request": {"messages": HELLO}}
    cancel = {"action": "cancel", "id": "1"}
    with wscat(signed_stack.websocket_url, chat, cancel) as terminal:
        terminal.read_until('"done":true,"cancelled":true')
    assert upstream.gone.wait(PATIENCE_S)


def test_key_opens_the_door(keyed_stack: RunningStack, upstream: ScriptedUpstream) -> None:
    upstream.script = says("Hello")
    header = f"Authorization: Bearer {FORWARD_KEY}"
    with wscat(keyed_stack.websocket_url, {"messages": HELLO}, header=header) as terminal:
        terminal.read_until("<END>")
