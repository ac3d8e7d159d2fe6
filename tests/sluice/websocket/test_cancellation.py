"""Answers that a client ends: by cancelling them, or by disconnecting. The store is a real one."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import PostFailed
from sluice.state.connections import ConnectionLook, ConnectionOwner, ConnectionState
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
from tests.sluice.websocket.asking import AT_MS, CHAT, PLAIN, TEMPLATE, WebSocketBench

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.scripted_upstream import Script

ENDED = {"id": "7", "events": [], "done": True, "cancelled": True}
ONE_AND_SILENCE = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))


class WatchedState(ConnectionState):
    """A store that signals when it has been read since the last cancellation."""

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteState(str(path)))
        self.looked = threading.Event()

    def look(self, *which: Any, **options: Any) -> ConnectionLook:
        try:
            return super().look(*which, **options)
        finally:
            self.looked.set()

    def cancel(self) -> None:
        self.cancelled("c-1=", "7", AT_MS)
        self.looked.clear()


class CancellingBench(WebSocketBench):
    """A bench with a store."""

    def __init__(
        self, upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], state: WatchedState
    ) -> None:
        super().__init__(upstream, capsys)
        self.state: WatchedState = state

    def says_after_a_look(self) -> None:
        def script(request: UpstreamRequest, connection: socket.socket) -> None:
            for _ in range(2):
                self.state.looked.clear()
                assert self.state.looked.wait(PATIENCE_S)
            says("all")(request, connection)

        self.upstream.script = script

    def cancel_on_post(self) -> None:
        self.posts.on_post = lambda _frame: self.state.cancel()


@pytest.fixture
def bench(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CancellingBench:
    return CancellingBench(upstream, capsys, WatchedState(tmp_path / "state.sqlite3"))


@pytest.fixture
def bench_without_store(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> WebSocketBench:
    return WebSocketBench(upstream, capsys)


@pytest.mark.parametrize(
    "script",
    [holds_after(), replies(503, {"error": {"message": "busy"}}, retry_after="15")],
    ids=["silent", "before a retry"],
)
def test_chat_is_cancelled_before_the_model_has_answered(
    bench: CancellingBench, script: Script
) -> None:
    def cancelling(request: UpstreamRequest, connection: socket.socket) -> None:
        bench.state.cancel()
        script(request, connection)

    bench.upstream.script = cancelling
    assert bench.documents(CHAT) == [{"seq": 0, **ENDED}]
    assert len(bench.upstream.requests) == 1


def test_chat_is_cancelled_while_the_model_is_silent_between_deltas(bench: CancellingBench) -> None:
    bench.upstream.script = ONE_AND_SILENCE
    bench.cancel_on_post()
    first, last = bench.documents(CHAT)
    assert (first["seq"], len(first["events"])) == (0, 1)
    assert last == {"seq": 1, **ENDED}
    assert bench.upstream.gone.wait(PATIENCE_S)
    assert bench.logged()["outcome"] == "cancelled"


def test_chat_is_cancelled_while_the_client_is_too_slow_to_take_frames(
    bench: CancellingBench,
) -> None:
    bench.upstream.script = endless("x" * MAX_WAITING)

    def too_slow(_frame: bytes) -> None:
        if not bench.upstream.gone.is_set():
            bench.state.cancel()
            assert bench.upstream.gone.wait(PATIENCE_S)

    bench.posts.on_post = too_slow
    frames = bench.documents(CHAT)
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert frames[-1] == {"seq": len(frames) - 1, **ENDED}


@pytest.mark.parametrize("message", [TEMPLATE, PLAIN])
def test_text_that_is_cancelled_ends_with_an_error(
    bench: CancellingBench, message: dict[str, Any]
) -> None:
    bench.upstream.script = ONE_AND_SILENCE
    bench.cancel_on_post()
    first, last = bench.send({**message, "id": "7"})
    assert first == "one"
    assert (bench.error["code"], json.loads(last)["id"]) == ("cancelled", "7")
    assert bench.upstream.gone.wait(PATIENCE_S)


def test_answer_ends_when_its_client_disconnects(bench: CancellingBench) -> None:
    bench.upstream.script = ONE_AND_SILENCE
    bench.posts.on_post = lambda _frame: bench.state.closed("c-1=")
    assert bench.send(TEMPLATE) == ["one"]
    assert bench.upstream.gone.wait(PATIENCE_S)
    assert bench.logged()["outcome"] == "connection_gone"


def test_frame_is_not_retried_until_the_deadline_for_a_client_that_has_disconnected(
    bench: CancellingBench,
) -> None:
    bench.upstream.script = ONE_AND_SILENCE

    def refused(_frame: bytes) -> None:
        bench.state.closed("c-1=")
        raise PostFailed("API Gateway refused a frame with status 429.")

    bench.posts.on_post = refused
    assert bench.send(TEMPLATE) == []
    assert bench.logged()["outcome"] == "connection_gone"


def test_cancellation_of_an_earlier_request_with_the_same_id_does_not_count(
    bench: CancellingBench,
) -> None:
    bench.says_after_a_look()
    bench.state.cancelled("c-1=", "7", AT_MS - 1)
    bench.state.opened("c-1=", ConnectionOwner("ann"))
    last = bench.documents(CHAT)[-1]
    assert last["done"]
    assert "cancelled" not in last
    assert bench.logged()["principal"] == "ann"


def test_store_that_is_down_is_named_in_the_log_of_an_answer(
    bench: CancellingBench, tmp_path: Path
) -> None:
    bench.state = WatchedState(tmp_path)  # a folder
    bench.says_after_a_look()
    assert bench.documents(CHAT)[-1]["done"]
    fields = bench.logged()
    assert fields["outcome"] == "ok"
    assert "principal" not in fields
    assert "state file" in fields["state"]


def test_error_is_sent_while_the_store_is_slow(bench: CancellingBench, tmp_path: Path) -> None:
    sent, looked = threading.Event(), threading.Event()

    class SlowState(WatchedState):
        def look(self, *which: Any, **options: Any) -> ConnectionLook:
            looked.set()
            assert sent.wait(PATIENCE_S)
            return super().look(*which, **options)

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        assert looked.wait(PATIENCE_S)
        dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))(request, connection)

    def on_post(frame: bytes) -> None:
        if b"upstream_incomplete" in frame:
            sent.set()

    bench.upstream.script = script
    bench.posts.on_post = on_post
    bench.state = SlowState(tmp_path / "slow.sqlite3")
    bench.send(CHAT)
    assert bench.error["code"] == "upstream_incomplete"


def test_chat_that_breaks_off_as_it_is_cancelled_has_an_end(bench: CancellingBench) -> None:
    bench.upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))

    def on_post(_frame: bytes) -> None:
        if not bench.posts.frames:
            bench.state.cancel()
            assert bench.state.looked.wait(PATIENCE_S)

    bench.posts.on_post = on_post
    first, *_, last = bench.documents(CHAT)
    assert first["seq"] == 0
    assert "error" in last or last == {"seq": 1, **ENDED}
