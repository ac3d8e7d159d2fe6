"""Native chats over the WebSocket: numbered frames, cancellation, ping; and what the log has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.end_to_end.conftest import PROVIDER_KEY
from tests.running_stack import PATIENCE_S, RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    endless,
    holds_after,
    replies,
    says,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

HELLO = [{"role": "user", "content": "Hello"}]


def chat(request_id: str, **request: Any) -> str:
    native = {"messages": HELLO, **request}
    return json.dumps({"action": "chat", "id": request_id, "request": native})


def cancel(request_id: str) -> str:
    return json.dumps({"action": "cancel", "id": request_id})


def receive(client: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(client.recv(timeout=PATIENCE_S))
    return frame


def receive_until_done(client: ClientConnection) -> list[dict[str, Any]]:
    frames = [receive(client)]
    while not frames[-1].get("done"):
        frames.append(receive(client))
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    return frames


def text_of(frames: list[dict[str, Any]]) -> str:
    choices = [c for frame in frames for event in frame["events"] for c in event["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_chat_is_the_models_events(client: ClientConnection, upstream: ScriptedUpstream) -> None:
    client.send(chat("7", model="m", temperature=0.5))
    frames = receive_until_done(client)
    assert text_of(frames) == "Hello"
    assert {frame["id"] for frame in frames} == {"7"}
    (request,) = upstream.requests
    assert request.document == {"model": "m", "temperature": 0.5, "messages": HELLO, "stream": True}


def test_chat_that_is_not_streamed_is_one_frame(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    completion = {"choices": [{"message": {"content": "all"}}]}
    upstream.script = replies(200, completion)
    client.send(chat("7", stream=False))
    assert receive(client) == {"id": "7", "seq": 0, "events": [completion], "done": True}


def test_providers_request_alone_is_a_chat_without_an_id(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("fine")
    client.send(json.dumps({"model": "m", "messages": HELLO}))
    frames = receive_until_done(client)
    assert text_of(frames) == "fine"
    assert all("id" not in frame for frame in frames)


def test_two_chats_at_once_on_one_connection_are_not_mixed_up(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    gated = {"one": GatedAnswer("1"), "two": GatedAnswer("2")}

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        gated[request.document["model"]](request, connection)

    upstream.script = script
    for name in gated:
        client.send(chat(name, model=name))
    for name in ("two", "one"):
        gated[name].open()
        frame = receive(client)
        assert (frame["id"], frame["seq"], len(frame["events"])) == (name, 0, 1)
    for name in ("one", "two"):
        gated[name].open()
        assert receive(client) == {"id": name, "seq": 1, "events": [], "done": True}


@pytest.mark.parametrize(
    "sends",
    [(), (EVENT_STREAM_HEAD,), (EVENT_STREAM_HEAD + chunk(delta("one")),)],
    ids=["before its head", "before its first delta", "between deltas"],
)
def test_chat_of_a_silent_model_is_cancelled(
    client: ClientConnection, upstream: ScriptedUpstream, sends: tuple[bytes, ...]
) -> None:
    upstream.script = holds_after(*sends)
    client.send(chat("7"))
    if any(b"one" in data for data in sends):
        assert text_of([receive(client)]) == "one"
    client.send(cancel("7"))
    last = receive(client)
    assert (last["events"], last["done"], last["cancelled"]) == ([], True, True)
    assert upstream.gone.wait(PATIENCE_S)


def test_id_of_a_cancelled_chat_can_be_used_again(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    upstream.script = endless()
    client.send(chat("7"))
    receive(client)
    client.send(cancel("7"))
    while not (frame := receive(client)).get("done"):
        pass
    assert frame["cancelled"]
    assert upstream.gone.wait(PATIENCE_S)
    upstream.script = says("again")
    client.send(chat("7"))
    frames = receive_until_done(client)
    assert text_of(frames) == "again"
    assert "cancelled" not in frames[-1]


def test_ping_is_answered_by_a_pong(client: ClientConnection) -> None:
    client.send('{"action":"ping"}')
    assert receive(client) == {"type": "pong"}


def test_ping_is_answered_while_a_chat_is_under_way(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    gated = GatedAnswer("one")
    upstream.script = gated
    client.send(chat("7"))
    gated.open()
    assert receive(client)["id"] == "7"
    client.send('{"action":"ping"}')
    assert receive(client) == {"type": "pong"}
    gated.open()
    assert receive(client)["done"]


def test_refused_chat_is_an_error_with_its_id(
    client: ClientConnection, upstream: ScriptedUpstream
) -> None:
    upstream.script = replies(429, {"error": {"message": "slow down", "type": "t", "code": "c"}})
    client.send(chat("7"))
    frame = receive(client)
    assert (frame["id"], frame["error"]["message"]) == ("7", "slow down")
    assert frame["requestId"]


@pytest.fixture(scope="module")
def talkative_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """A stack that logs prompts and answers."""
    with ready_service(
        OPENAI_BASE_URL=shared_upstream.url, OPENAI_API_KEY=PROVIDER_KEY, LOG_CHAT="true"
    ) as stack:
        yield stack
    assert PROVIDER_KEY not in stack.text()


def logged(stack: RunningStack) -> dict[str, Any]:
    """The next line of a chat in the log."""
    line = stack.wait_line('"kind": "chat"')
    fields: dict[str, Any] = json.loads(line[line.index("{") :])
    return fields


def test_log_has_what_was_said_where_that_is_set(
    talkative_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Hel", "lo")
    with connect(talkative_stack.websocket_url) as client:
        client.send(chat("7"))
        receive_until_done(client)
    fields = logged(talkative_stack)
    assert (fields["messages"], fields["answer"]) == (HELLO, "Hello")


def test_log_has_figures_and_nothing_of_what_was_said(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("an answer ", "to nobody else")
    with connect(signed_stack.websocket_url) as client:
        client.send(chat("figures", model="model-of-figures"))
        frames = receive_until_done(client)
    while (fields := logged(signed_stack))["model"] != "model-of-figures":
        pass
    assert fields["outcome"] == "ok"
    assert fields["frames"] == len(frames)
    assert fields["total_ms"] >= fields["first_frame_ms"] > 0
    assert {"request_id", "connection_id", "principal", "joined_deltas"} <= fields.keys()
    assert "to nobody else" not in signed_stack.text()
