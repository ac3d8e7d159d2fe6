"""Answers that a client ends: by cancelling them, and by leaving. The store is a real one."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import PostFailed
from sluice.state.connections import ConnectionLook, ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.delivery import MAX_WAITING
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    dies_after,
    endless,
    holds_after,
    replies,
    says,
)
from tests.sluice.websocket.asking import AT_MS, HELLO, Posts, send

if TYPE_CHECKING:
    import socket
    from pathlib import Path

CHAT = {"action": "chat", "id": "7", "request": {"messages": HELLO}}
TEMPLATE = {"messages": HELLO, "id": "7"}
PLAIN = {"action": "sendmessage", "data": "Hello", "id": "7"}
ENDED = {"id": "7", "events": [], "done": True, "cancelled": True}


class WatchedState(ConnectionState):
    """A store that tells when it has been looked at since the last cancellation."""

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteState(str(path)))
        self.looked = threading.Event()

    def look(self, connection_id: str, request_id: str | None, since_ms: int) -> ConnectionLook:
        found = super().look(connection_id, request_id, since_ms)
        self.looked.set()
        return found

    def cancel(self) -> None:
        self.cancelled("c-1=", "7", AT_MS)
        self.looked.clear()


@pytest.fixture
def state(tmp_path: Path) -> WatchedState:
    return WatchedState(tmp_path / "state.sqlite3")


def documents(frames: list[str]) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames]


def test_chat_is_cancelled_before_the_model_has_answered_at_all(
    upstream: ScriptedUpstream, state: WatchedState
) -> None:
    silence = holds_after()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        state.cancel()
        silence(request, connection)

    upstream.script = script
    assert documents(send(upstream.url, CHAT, Posts(), state=state)) == [{"seq": 0, **ENDED}]
    assert upstream.gone.wait(PATIENCE_S)


def test_chat_is_cancelled_while_it_waits_to_ask_again(
    upstream: ScriptedUpstream, state: WatchedState
) -> None:
    busy = replies(503, {"error": {"message": "busy"}}, retry_after="15")

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        state.cancel()
        busy(request, connection)

    upstream.script = script
    assert documents(send(upstream.url, CHAT, Posts(), state=state)) == [{"seq": 0, **ENDED}]
    assert len(upstream.requests) == 1


def test_chat_is_cancelled_while_the_model_is_silent_between_deltas(
    upstream: ScriptedUpstream, state: WatchedState, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    posts = Posts(lambda _frame: state.cancel())
    first, last = documents(send(upstream.url, CHAT, posts, state=state))
    assert (first["seq"], len(first["events"])) == (0, 1)
    assert last == {"seq": 1, **ENDED}
    assert upstream.gone.wait(PATIENCE_S)
    assert json.loads(capsys.readouterr().out)["outcome"] == "cancelled"


def test_chat_is_cancelled_while_the_client_is_too_slow_to_take_frames(
    upstream: ScriptedUpstream, state: WatchedState
) -> None:
    upstream.script = endless("x" * MAX_WAITING)

    def too_slow(_frame: bytes) -> None:
        if not upstream.gone.is_set():
            state.cancel()
            assert upstream.gone.wait(PATIENCE_S)

    frames = documents(send(upstream.url, CHAT, Posts(too_slow), state=state))
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert frames[-1] == {"seq": len(frames) - 1, **ENDED}


@pytest.mark.parametrize("message", [TEMPLATE, PLAIN])
def test_text_that_is_cancelled_ends_with_an_error(
    upstream: ScriptedUpstream, state: WatchedState, message: dict[str, Any]
) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    posts = Posts(lambda _frame: state.cancel())
    first, last = send(upstream.url, message, posts, state=state)
    assert first == "one"
    assert posts.error["code"] == "cancelled"
    assert json.loads(last)["id"] == "7"
    assert upstream.gone.wait(PATIENCE_S)


def test_answer_ends_when_its_connection_is_closed(
    upstream: ScriptedUpstream, state: WatchedState, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    posts = Posts(lambda _frame: state.closed("c-1="))
    assert send(upstream.url, TEMPLATE, posts, state=state) == ["one"]
    assert upstream.gone.wait(PATIENCE_S)
    assert json.loads(capsys.readouterr().out)["outcome"] == "connection_gone"


def test_frame_that_is_refused_is_not_tried_until_the_deadline_for_a_client_that_has_left(
    upstream: ScriptedUpstream, state: WatchedState, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))

    def refused(_frame: bytes) -> None:
        state.closed("c-1=")
        raise PostFailed("API Gateway refused a frame with status 429.")

    assert send(upstream.url, TEMPLATE, Posts(refused), state=state) == []
    assert json.loads(capsys.readouterr().out)["outcome"] == "connection_gone"


@pytest.mark.parametrize(
    ("request_id", "at_ms"), [("7", AT_MS - 1), ("8", AT_MS)], ids=["id used again", "other id"]
)
def test_cancellation_of_another_request_does_not_count(
    upstream: ScriptedUpstream, state: WatchedState, request_id: str, at_ms: int
) -> None:
    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        for _ in range(2):
            state.looked.clear()
            assert state.looked.wait(PATIENCE_S)
        says("all")(request, connection)

    upstream.script = script
    state.cancelled("c-1=", request_id, at_ms)
    frames = documents(send(upstream.url, CHAT, Posts(), state=state))
    assert frames[-1]["done"]
    assert "cancelled" not in frames[-1]


def test_cancel_is_left_in_the_store_and_answered_by_nothing(state: WatchedState) -> None:
    message = {"action": "cancel", "id": "7"}
    assert send("http://127.0.0.1:1/v1", message, Posts(), state=state) == []
    assert state.look("c-1=", "7", AT_MS).is_cancelled
    assert not state.look("c-1=", "7", AT_MS + 1).is_cancelled
    assert not state.look("c-2=", "7", AT_MS).is_cancelled


def test_cancel_without_a_store_is_an_error() -> None:
    posts = Posts()
    (frame,) = send("http://127.0.0.1:1/v1", {"action": "cancel", "id": "7"}, posts)
    assert posts.error["code"] == "state_unavailable"
    assert json.loads(frame)["id"] == "7"


def test_cancel_with_a_store_that_is_down_is_an_error(tmp_path: Path) -> None:
    posts, state = Posts(), ConnectionState(SqliteState(str(tmp_path)))
    send("http://127.0.0.1:1/v1", {"action": "cancel", "id": "7"}, posts, state=state)
    assert posts.error["code"] == "state_unavailable"


def test_error_is_told_while_the_store_is_slow(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    told, looked = threading.Event(), threading.Event()

    class SlowState(WatchedState):
        def look(self, connection_id: str, request_id: str | None, since_ms: int) -> ConnectionLook:
            looked.set()
            assert told.wait(PATIENCE_S)
            return super().look(connection_id, request_id, since_ms)

    dies = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        assert looked.wait(PATIENCE_S)
        dies(request, connection)

    def on_post(frame: bytes) -> None:
        if b"upstream_incomplete" in frame:
            told.set()

    upstream.script = script
    posts = Posts(on_post)
    send(upstream.url, CHAT, posts, state=SlowState(tmp_path / "state.sqlite3"))
    assert posts.error["code"] == "upstream_incomplete"


def test_chat_that_breaks_off_as_it_is_cancelled_has_an_end(
    upstream: ScriptedUpstream, state: WatchedState
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))

    def on_post(_frame: bytes) -> None:
        if not posts.frames:
            state.cancel()
            assert state.looked.wait(PATIENCE_S)

    posts = Posts(on_post)
    first, *_, last = documents(send(upstream.url, CHAT, posts, state=state))
    assert first["seq"] == 0
    assert "error" in last or last == {"seq": 1, **ENDED}
