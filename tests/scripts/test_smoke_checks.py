"""Each check against a service that does one thing wrong."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from botocore.credentials import Credentials
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from scripts.smoke.__main__ import all_checks, read_settings
from scripts.smoke.check import Result, run_check
from scripts.smoke.report import row, summary
from scripts.smoke.target import Addresses, Target
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    replies,
    says,
    sends,
    sse,
)
from tests.scripts.smoke_run import closed_port

SECRET = "a-secret-of-nobody-0123456789"
STREAM = "GET /?message= is streamed"


def target(http_url: str = "http://unused", websocket_url: str = "ws://unused") -> Target:
    return Target(
        Addresses(http_url, websocket_url),
        region="us-east-1",
        url_auth="aws_iam",
        websocket_auth="forward_key",
        credentials=Credentials("access", SECRET),
        forward_key=SECRET,
    )


def failure_of(name: str, where: Target) -> str:
    """What the check of that name finds wrong."""
    (check,) = (check for check in all_checks(where) if check.name == name)
    ticks = itertools.count()
    return run_check(check, where, lambda: next(ticks)).failure


def in_pieces(*pieces: bytes) -> Callable[..., None]:
    """A script: an event stream whose chunks are these."""
    return lambda _request, connection: connection.sendall(
        EVENT_STREAM_HEAD + b"".join(map(chunk, pieces)) + LAST_CHUNK
    )


@pytest.mark.parametrize(
    ("name", "script", "failure"),
    [
        pytest.param(
            "GET / describes the service",
            sends(b"<html>", "text/html"),
            "body: expected a JSON object, found another text",
            id="page",
        ),
        pytest.param(
            "GET / describes the service",
            replies(200, {}),
            "description: expected some fields, found none",
            id="empty description",
        ),
        pytest.param(
            STREAM,
            sends(answer_stream(["one", "two"]), "text/event-stream"),
            "stream: expected several pieces, found 1: something holds it back",
            id="held back",
        ),
        pytest.param(
            STREAM,
            replies(200, {}),
            "content type: expected text/event-stream, found application/json",
            id="not streamed",
        ),
        pytest.param(
            STREAM,
            in_pieces(delta("one"), delta("two")),
            "last event: expected [DONE], found another, or none",
            id="cut off",
        ),
        pytest.param(
            STREAM,
            in_pieces(delta("one"), sse({"error": {"code": "c"}}), sse("[DONE]")),
            "error events: expected 0, found 1",
            id="error in the stream",
        ),
        pytest.param(
            STREAM,
            in_pieces(sse({"choices": []}), sse("[DONE]")),
            "joined deltas: expected some text, found none",
            id="nothing said",
        ),
        pytest.param(
            STREAM,
            in_pieces(sse("no json"), sse("[DONE]")),
            "expected what is documented, found another shape (JSONDecodeError)",
            id="event of another kind",
        ),
        pytest.param(
            "POST / finds a value",
            sends(b"41", "text/plain"),
            "value: expected 42, found another",
            id="another value",
        ),
        pytest.param(
            "POST /v1/chat/completions",
            replies(200, {"choices": []}),
            "expected what is documented, found another shape (IndexError)",
            id="no choice",
        ),
        pytest.param(
            "no signature is refused",
            says("come in"),
            "status: expected 403, found 200",
            id="open to everybody",
        ),
        pytest.param(
            "wrong signature is refused",
            replies(401, {}),
            "status: expected 403, found 401",
            id="another refusal",
        ),
        pytest.param(
            "bad JSON is 400",
            replies(400, {"error": {"code": "other"}}),
            "error code: expected invalid_json, found other",
            id="another code",
        ),
        pytest.param(
            "unknown path is 404",
            replies(404, {"detail": "not found"}),
            "error code: expected unknown_path, found None",
            id="error of another shape",
        ),
    ],
)
def test_wrong_answer_of_the_url_is_named(
    upstream: ScriptedUpstream, name: str, script: Callable[..., None], failure: str
) -> None:
    upstream.script = script
    assert failure_of(name, target(upstream.url.removesuffix("/v1"))) == failure


@contextmanager
def websocket_service(*frames: object) -> Iterator[str]:
    """A WebSocket API that answers every message by these frames; texts are sent as they are."""

    def answer(client: ServerConnection) -> None:
        try:
            for _message in client:
                for frame in frames:
                    client.send(frame if isinstance(frame, str) else json.dumps(frame))
        except ConnectionClosed:
            pass

    with serve(answer, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def chat_frame(seq: int, text: str = "", **more: Any) -> dict[str, Any]:
    events = [{"choices": [{"delta": {"content": text}}]}] if text else []
    return {"id": "smoke", "seq": seq, "events": events, **more}


@pytest.mark.parametrize(
    ("name", "frames", "failure"),
    [
        pytest.param(
            "WebSocket: template stream to <END>",
            ["all of it", "<END>"],
            "stream: expected several pieces, found 1: something holds it back",
            id="held back",
        ),
        pytest.param(
            "WebSocket: template stream to <END>",
            [{"error": {"code": "misconfigured"}}],
            "frame: expected part of an answer, found the error misconfigured",
            id="error frame",
        ),
        pytest.param(
            "WebSocket: chat",
            [chat_frame(0, "one"), chat_frame(2, "two"), chat_frame(3, done=True)],
            "numbers of the frames: expected [0, 1, 2], found [0, 2, 3]",
            id="gap",
        ),
        pytest.param(
            "WebSocket: chat",
            [chat_frame(0), chat_frame(1, done=True)],
            "joined deltas: expected some text, found none",
            id="nothing said",
        ),
        pytest.param(
            "WebSocket: chat",
            [chat_frame(0, "one"), chat_frame(1, done=True, cancelled=True)],
            "cancelled: expected False, found True",
            id="cancelled by nobody",
        ),
        pytest.param(
            "WebSocket: chat is cancelled",
            [chat_frame(0, "one"), chat_frame(1, done=True)],
            "cancelled: expected True, found False",
            id="not cancelled",
        ),
        pytest.param(
            "WebSocket: ping", [{"type": "ping"}], "type: expected pong, found ping", id="no pong"
        ),
        pytest.param(
            "WebSocket: error frame",
            ["what?"],
            "error code: expected invalid_json, found None",
            id="no error",
        ),
        pytest.param(
            "WebSocket: no key is refused",
            [],
            "status: expected 401, found 101",
            id="open to everybody",
        ),
        pytest.param(
            "WebSocket: unknown key is refused",
            [],
            "status: expected 401, found 101",
            id="open to any key",
        ),
    ],
)
def test_wrong_answer_of_the_websocket_is_named(
    name: str, frames: list[object], failure: str
) -> None:
    with websocket_service(*frames) as url:
        assert failure_of(name, target(websocket_url=url)) == failure


def test_service_that_is_not_there_is_named_without_its_address() -> None:
    with closed_port() as port:
        nowhere = target(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
        for check in all_checks(nowhere):
            failure = run_check(check, nowhere, lambda: 0.0).failure
            assert failure.startswith("expected an answer, found no working connection (")
            assert "127.0.0.1" not in failure


def test_no_text_shows_what_opens_the_service() -> None:
    assert SECRET not in repr(target())
    assert SECRET not in target().described()


def test_rows_show_times_and_what_is_wrong() -> None:
    passed = Result("a", "", 0.0124, 1.5)
    failed = Result("b", "status: expected 200, found 502", None, 0.003)
    assert row(passed).split() == ["a", "ok", "12", "ms", "1500", "ms"]
    first, second = row(failed).splitlines()
    assert first.split() == ["b", "FAILED", "-", "3", "ms"]
    assert second.strip() == "status: expected 200, found 502"
    assert summary([passed, failed]) == "2 checks, 1 failed"
    assert summary([passed, passed]) == "2 checks, none failed"


def test_shells_variable_goes_before_that_of_dotenv(tmp_path: Any) -> None:
    (tmp_path / ".env").write_text("FORWARD_KEY=of-the-file\nWEBSOCKET_AUTH=aws_iam\n")
    read = read_settings({"FORWARD_KEY": "of-the-shell"}, tmp_path / ".env")
    assert read == {"FORWARD_KEY": "of-the-shell", "WEBSOCKET_AUTH": "aws_iam"}
