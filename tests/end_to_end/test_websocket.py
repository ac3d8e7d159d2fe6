"""The WebSocket API of the whole stack, used by the `websockets` package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from tests.end_to_end.conftest import FORWARD_KEY, PROMPT, PROVIDER_KEY
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    endless,
    holds_after,
    replies,
    says,
)

if TYPE_CHECKING:
    import socket

HELLO = [{"role": "user", "content": "Hello"}]
PING = {"action": "ping"}
PONG = {"type": "pong"}
CANCEL = {"action": "cancel", "id": "7"}


def chat(request_id: str = "7", **request: Any) -> dict[str, Any]:
    native = {"messages": HELLO, **request}
    return {"action": "chat", "id": request_id, "request": native}


def send(client: ClientConnection, message: object) -> None:
    client.send(message if isinstance(message, str) else json.dumps(message))


def receive(client: ClientConnection) -> str:
    frame = client.recv(timeout=PATIENCE_S)
    assert isinstance(frame, str)
    return frame


def receive_document(client: ClientConnection) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(receive(client))
    return document


def receive_text(client: ClientConnection) -> str:
    """The answer to a template request."""
    text = ""
    while (frame := receive(client)) != "<END>":
        text += frame
    return text


def receive_until_done(client: ClientConnection) -> list[dict[str, Any]]:
    """The frames of a chat."""
    frames = [receive_document(client)]
    while not frames[-1].get("done"):
        frames.append(receive_document(client))
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    return frames


def test_template_stream_is_deltas_and_the_end_mark(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    send(client, {"prompt_template": "PROMPT_TEST", "messages": HELLO})
    assert receive_text(client) == "Hello"
    (request,) = upstream.requests
    assert request.document["messages"] == [{"role": "system", "content": PROMPT}, *HELLO]
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_first_delta_reaches_the_client_before_the_upstream_sends_the_second(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    upstream.script = gated = GatedAnswer("one", "two")
    send(client, {"action": "sendmessage", "data": "Hello"})
    gated.open()
    assert receive(client) == "one"
    assert gated.sent == ["one"]
    gated.open(2)
    assert receive(client) == "two"


def test_errors_are_frames_and_the_next_message_works(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    refusal = replies(429, {"error": {"message": f"key {PROVIDER_KEY}", "code": "slow_down"}})
    for message, script, code in (
        ("no json", says(), "invalid_json"),
        ("[" * 30_000, says(), "invalid_json"),
        ({"action": "dance", "id": "7"}, says(), "invalid_field"),
        (chat(), refusal, "slow_down"),
    ):
        upstream.script = script
        send(client, message)
        frame = receive_document(client)
        assert (frame["error"]["code"], frame.get("id", "7")) == (code, "7")
        assert frame["requestId"]
        assert PROVIDER_KEY not in frame["error"]["message"]
        upstream.script = says("fine")
        send(client, {"messages": HELLO})
        assert receive_text(client) == "fine"


def test_two_chats_at_once_on_one_connection_are_not_mixed_up(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    gated = {"one": GatedAnswer("1"), "two": GatedAnswer("2")}

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        gated[request.document["model"]](request, connection)

    upstream.script = script
    for name in gated:
        send(client, chat(name, model=name))
    for name in ("two", "one"):
        gated[name].open()
        frame = receive_document(client)
        assert (frame["id"], frame["seq"], len(frame["events"])) == (name, 0, 1)
    send(client, PING)
    assert receive_document(client) == PONG
    for name in ("one", "two"):
        gated[name].open()
        assert receive_document(client) == {"id": name, "seq": 1, "events": [], "done": True}


def test_chat_of_a_silent_model_is_cancelled_and_its_id_can_be_used_again(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    upstream.script = holds_after()
    send(client, chat())
    send(client, CANCEL)
    cancelled = {"id": "7", "seq": 0, "events": [], "done": True, "cancelled": True}
    assert receive_document(client) == cancelled
    assert upstream.gone.wait(PATIENCE_S)
    upstream.script = says("again")
    send(client, chat())
    assert "cancelled" not in receive_until_done(client)[-1]


def test_disconnect_ends_the_upstream_request(
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
    ids=["header", "query", "subprotocol"],
)
def test_forward_key_opens_the_websocket(
    keyed_stack: RunningStack, upstream: ScriptedUpstream, credentials: dict[str, Any]
) -> None:
    url = f"{keyed_stack.websocket_url}/dev{credentials.pop('query', '')}"
    with connect(url, **credentials) as client:
        assert client.subprotocol == ("chat" if credentials.get("subprotocols") else None)
        send(client, {"messages": HELLO})
        assert receive_text(client) == "Hello"
    assert len(upstream.requests) == 1


def test_handshake_without_a_known_key_is_rejected(keyed_stack: RunningStack) -> None:
    for query in ("", "?key=unknown"):
        with pytest.raises(InvalidStatus) as caught, connect(keyed_stack.websocket_url + query):
            pass
        assert caught.value.response.status_code == 401


def test_log_has_figures_and_neither_prompt_nor_answer(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("a private answer")
    with connect(signed_stack.websocket_url) as client:
        send(client, chat(model="model-of-figures", messages=[{"content": "a private prompt"}]))
        frames = receive_until_done(client)
    line = signed_stack.wait_line("model-of-figures")
    fields = json.loads(line[line.index("{") :])
    assert (fields["kind"], fields["outcome"], fields["frames"]) == ("chat", "ok", len(frames))
    assert fields["total_ms"] >= fields["first_frame_ms"] > 0
    assert {"request_id", "connection_id", "joined_deltas"} <= fields.keys()
    assert "a private" not in signed_stack.text()
