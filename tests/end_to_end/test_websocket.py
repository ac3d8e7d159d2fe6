"""The WebSocket API, used by the `websockets` package."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.end_to_end.conftest import FORWARD_KEY, PROMPT, PROVIDER_KEY
from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
    endless,
    replies,
    says,
)

HELLO = [{"role": "user", "content": "Hello"}]


def send(client: ClientConnection, message: object) -> None:
    client.send(message if isinstance(message, str) else json.dumps(message))


def receive(client: ClientConnection) -> str:
    frame = client.recv(timeout=PATIENCE_S)
    assert isinstance(frame, str)
    return frame


def receive_until(client: ClientConnection, last: str) -> list[str]:
    frames = []
    while (frame := receive(client)) != last:
        frames.append(frame)
    return frames


def receive_error(client: ClientConnection) -> dict[str, Any]:
    frame = json.loads(receive(client))
    assert frame["requestId"]
    error: dict[str, Any] = frame["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def test_template_stream_is_deltas_and_the_end_mark(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    send(client, {"prompt_template": "PROMPT_TEST", "messages": HELLO})
    assert "".join(receive_until(client, "<END>")) == "Hello"
    (request,) = upstream.requests
    assert request.document["messages"] == [{"role": "system", "content": PROMPT}, *HELLO]
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_first_delta_reaches_the_client_before_the_upstream_sends_the_second(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated
    send(client, {"action": "sendmessage", "data": "Hello"})
    gated.open()
    assert receive(client) == "one"
    assert gated.sent == ["one"]
    gated.open()
    assert receive(client) == "two"
    gated.open()


def test_value_is_one_frame(client: ClientConnection, upstream: ScriptedUpstream) -> None:
    for response_type, text, frame in (
        ("full", "all of it", "all of it"),
        ("int", "It is [[-4]]", "-4"),
        ("string", "[[a b]]", "a b"),
    ):
        upstream.script = says(*text)
        send(client, {"messages": HELLO, "response_type": response_type})
        assert receive(client) == frame


def test_bad_messages_are_error_frames_and_the_next_message_works(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    cases = [
        ("no json", "invalid_json"),
        ("[" * 30_000, "invalid_json"),
        ({"action": "dance"}, "invalid_field"),
        ({"action": "sendmessage"}, "invalid_field"),
        ({"messages": HELLO, "response_type": "xml"}, "invalid_field"),
        ({"messages": HELLO, "prompt_template": "OPENAI_API_KEY"}, "prompt_template_not_allowed"),
    ]
    for message, code in cases:
        send(client, message)
        assert receive_error(client)["code"] == code
        send(client, {"messages": HELLO})
        assert "".join(receive_until(client, "<END>")) == "Hello"
    assert len(upstream.requests) == len(cases)


def test_upstreams_error_is_a_frame_and_the_next_message_works(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    error = {"message": f"key {PROVIDER_KEY}", "type": "t", "param": None, "code": "c"}
    for status in (401, 429, 500):
        upstream.script = replies(status, {"error": error})
        send(client, {"messages": HELLO})
        assert receive_error(client) == {**error, "message": "key [key]"}
        upstream.script = says("fine")
        send(client, {"messages": HELLO})
        assert receive_until(client, "<END>") == ["fine"]


def test_several_connections_are_not_mixed_up(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    def echo(request: Any, connection: Any) -> None:
        says(*request.document["messages"][-1]["content"])(request, connection)

    upstream.script = echo
    with ExitStack() as open_connections:
        url = signed_stack.websocket_url
        clients = [open_connections.enter_context(connect(url)) for _ in range(8)]
        for number, client in enumerate(clients):
            send(client, {"messages": [{"role": "user", "content": f"client {number}"}]})
        for number, client in enumerate(clients):
            assert "".join(receive_until(client, "<END>")) == f"client {number}"


def test_client_that_leaves_ends_the_upstream_request(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = endless("first")
    with connect(signed_stack.websocket_url) as client:
        send(client, {"messages": HELLO})
        receive(client)
    assert upstream.gone.wait(PATIENCE_S)


@pytest.mark.parametrize(
    "credentials",
    [
        {"additional_headers": {"Authorization": f"Bearer {FORWARD_KEY}"}},
        {"query": f"?key={FORWARD_KEY}"},
        {"subprotocols": [Subprotocol("chat"), Subprotocol(f"bearer.{FORWARD_KEY}")]},
    ],
)
def test_forward_key_opens_the_websocket(
    keyed_stack: RunningStack, upstream: ScriptedUpstream, credentials: dict[str, Any]
) -> None:
    url = f"{keyed_stack.websocket_url}/dev{credentials.pop('query', '')}"
    with connect(url, **credentials) as client:
        assert client.subprotocol == ("chat" if credentials.get("subprotocols") else None)
        send(client, {"messages": HELLO})
        assert "".join(receive_until(client, "<END>")) == "Hello"
    assert len(upstream.requests) == 1


def test_handshake_without_the_key_is_rejected(keyed_stack: RunningStack) -> None:
    for query in ("", "?key=unknown", "?key="):
        with pytest.raises(InvalidStatus) as caught, connect(keyed_stack.websocket_url + query):
            pass
        assert caught.value.response.status_code == 401
