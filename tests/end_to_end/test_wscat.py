"""The WebSocket API, used by wscat."""

from __future__ import annotations

import json
import subprocess

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

WSCAT = ROOT / "node_modules/.bin/wscat"
HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"action": "chat", "id": "1", "request": {"messages": HELLO}}
ENDS_OF_ANSWERS = (
    ({"messages": HELLO, "response_type": "full"}, "So [[-7]]"),
    ({"action": "sendmessage", "data": "Hello"}, "7]]"),
    ({"messages": HELLO}, "7]]"),
    ({"messages": HELLO, "response_type": "int"}, "-7"),
    ({"messages": HELLO, "response_type": "string"}, "-7"),
    (CHAT, '"done":true}'),
    ({"model": "m", "messages": HELLO}, '"done":true}'),
    ({"action": "ping"}, '"pong"}'),
)


def assert_wscat_prints(url: str, messages: list[object], ends: list[str], *options: str) -> None:
    """Send all messages at once, and wait until a line has each of these ends, in any order."""
    sent = [part for message in messages for part in ("-x", json.dumps(message))]
    with subprocess.Popen(
        [WSCAT, "--no-color", "-c", url, "-w", "60", *sent, *options],
        stdin=subprocess.PIPE,  # wscat leaves as soon as its input ends
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            awaited = list(ends)
            while awaited:
                line = process.stdout.readline()
                assert line, awaited
                seen = [end for end in awaited if line.endswith(f"{end}\n")]
                if seen:
                    awaited.remove(seen[0])
        finally:
            process.kill()


def test_each_kind_of_request_is_answered(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("So ", "[[-", "7]]")
    messages, ends = zip(*ENDS_OF_ANSWERS, strict=True)
    assert_wscat_prints(signed_stack.websocket_url, [*messages], ["<END>", *ends])


def test_chat_is_cancelled(keyed_stack: RunningStack, upstream: ScriptedUpstream) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD + chunk(delta("first")))
    messages = [CHAT, {"action": "cancel", "id": "1"}]
    header = ("-H", f"Authorization: Bearer {FORWARD_KEY}")
    ends = ['"done":true,"cancelled":true}']
    assert_wscat_prints(keyed_stack.websocket_url, messages, ends, *header)
    assert upstream.gone.wait(PATIENCE_S)
