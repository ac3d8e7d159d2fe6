"""Answers whose posts fail for good: the client learns of it by one frame, unless it is gone."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import DeliveryError, PostTooLarge, PostUnconfirmed
from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.gateway import END_MARK
from sluice.websocket.posting import LAST_WORD_ATTEMPTS, BackOff
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    chunk,
    delta,
    dies_after,
    endless,
    holds_after,
    replies,
    says,
    scripted_upstream,
)
from tests.sluice.clocks import deadline_in, until
from tests.sluice.websocket.asking import CHAT, PLAIN, TEMPLATE, gateway_with, message_of

if TYPE_CHECKING:
    import socket

    from sluice.stop_signal import StopSignal
    from tests.scripted_upstream import Script, ScriptedUpstream, UpstreamRequest
    from tests.sluice.websocket.asking import WebSocketBench

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
FOREVER_MS = 900_000
SILENCE = holds_after()
FAULTS: dict[str, tuple[Script, str]] = {
    "status line and no more": (dies_after(b"HTTP/1.1 200 OK\r\nConte"), "delivery_failed"),
    "half a status line": (dies_after(b"HTTP/1.1 2"), "delivery_failed"),
    "no HTTP": (dies_after(b"\x00\x01 nonsense\r\n\r\n"), "delivery_failed"),
    "redirect": (replies(302, {}, location="http://127.0.0.1:1/"), "delivery_failed"),
    "400": (replies(400, {"message": "Invalid connectionId"}), "delivery_failed"),
    "403": (replies(403, {"message": "Forbidden"}), "post_forbidden"),
    "silence": (SILENCE, "delivery_failed"),
}
GONE: dict[str, Script] = {
    "410": replies(410, {}),
    "410 without a body": dies_after(b"HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\n"),
    "named in a header": replies(400, {}, x_amzn_ErrorType="GoneException:http://internal/"),
    "named in the body": replies(502, {"__type": "com.amazonaws#GoneException"}),
}


@dataclass
class FaultyConnections:
    """@connections that takes every post except those whose numbers are in `faults`, from 0 on."""

    fault: Script
    faults: frozenset[int]
    bodies: list[bytes] = field(default_factory=list)
    """Of all posts. A post that failed may have arrived."""
    clients: list[Any] = field(default_factory=list)
    """The client's end of the connection of each post."""

    def __call__(self, request: UpstreamRequest, connection: socket.socket) -> None:
        number = len(self.bodies)
        self.bodies.append(request.body)
        self.clients.append(connection.getpeername())
        (self.fault if number in self.faults else replies(200, {}))(request, connection)

    @property
    def frames(self) -> list[str]:
        return [body.decode() for body in self.bodies]


class ImpatientClient(ConnectionsClient):
    """Waits a fraction of a second for the reply to a post that fails."""

    connections: FaultyConnections

    def post(
        self,
        connection_id: str,
        frame: bytes,
        timeout_s: float = 1.0,
        stop_signal: StopSignal | None = None,
    ) -> None:
        number = len(self.connections.bodies)
        if number not in self.connections.faults:
            super().post(connection_id, frame, timeout_s, stop_signal)
            return
        try:
            super().post(connection_id, frame, min(timeout_s, 0.2), stop_signal)
        finally:
            until(lambda: len(self.connections.bodies) > number)


def posted(
    message: object,
    upstream: ScriptedUpstream,
    fault: Script,
    *faults: int,
    remaining_ms: int = FOREVER_MS,
) -> FaultyConnections:
    """What a message's answer posts."""
    connections = FaultyConnections(fault, frozenset(faults))
    with scripted_upstream() as server:
        server.script = connections
        client = ImpatientClient(server.url.replace("/v1", "/dev"), ENVIRON)
        client.connections = connections
        variables = {"OPENAI_BASE_URL": upstream.url}
        gateway = gateway_with(variables, client, None, BackOff(sleep=lambda _seconds: None))
        gateway.answer(message_of(message), deadline_in(remaining_ms))
        client.close()
    return connections


def error_in(frame: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(frame)
    return document


@pytest.mark.parametrize("name", FAULTS)
def test_client_learns_of_a_failed_delivery_by_one_frame_and_the_upstream_ends(
    upstream: ScriptedUpstream, name: str
) -> None:
    fault, code = FAULTS[name]
    for message in ({**CHAT, "id": "7"}, {**TEMPLATE, "id": "7"}, {**PLAIN, "id": "7"}):
        for failing in (0, 1):
            upstream.script = endless("one")
            upstream.gone.clear()
            connections = posted(message, upstream, fault, failing)
            *before, last = connections.frames
            assert len(before) == failing + 1
            assert not any('"error"' in frame for frame in before)
            document = error_in(last)
            assert (document["error"]["code"], document["id"]) == (code, "7")
            assert document["requestId"] == "r-1"
            assert "missing" in document["error"]["message"]
            assert connections.clients[-1] not in connections.clients[:-1]
            assert upstream.gone.wait(PATIENCE_S)


@pytest.mark.parametrize("message", [CHAT, TEMPLATE])
def test_last_frame_that_fails_is_explained_too(
    upstream: ScriptedUpstream, message: object
) -> None:
    upstream.script = says("all")
    whole = posted(message, upstream, SILENCE)
    failing = len(whole.frames) - 1
    for fault, code in FAULTS.values():
        frames = posted(message, upstream, fault, failing).frames
        assert frames[failing] == END_MARK or error_in(frames[failing])["done"]
        assert [error_in(frame)["error"]["code"] for frame in frames[failing + 1 :]] == [code]


def test_client_that_is_gone_gets_no_frame_however_that_is_spelled(
    upstream: ScriptedUpstream,
) -> None:
    for name, fault in GONE.items():
        upstream.script = endless("one")
        upstream.gone.clear()
        assert len(posted(CHAT, upstream, fault, 1).frames) == 2, name
        assert upstream.gone.wait(PATIENCE_S)


def test_explanation_that_fails_is_repeated_a_few_times(
    upstream: ScriptedUpstream, bench: WebSocketBench
) -> None:
    everything = range(1, 100)
    for name, (fault, code) in FAULTS.items():
        upstream.script = endless("one")
        explanations = posted(CHAT, upstream, fault, *everything).frames[2:]
        is_refused = name in ("redirect", "400", "403")
        assert len(explanations) == (LAST_WORD_ATTEMPTS if is_refused else 2), name
        assert len(set(explanations)) == 1
        fields = bench.logged()
        assert (fields["outcome"], fields["error_sent"]) == (code, False)
        upstream.script = endless("one")
        assert len(posted(CHAT, upstream, fault, 1, 2).frames) == 4
        assert bench.logged()["error_sent"]


def test_first_error_is_explained_if_its_own_frame_fails(upstream: ScriptedUpstream) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    for fault, _ in FAULTS.values():
        first, second, third = posted(TEMPLATE, upstream, fault, 1).frames
        assert (first, second) == ("half", third)
        assert error_in(third)["error"]["code"] == "upstream_incomplete"
    (first, second) = posted("no json", upstream, SILENCE, 0).frames
    assert first == second
    assert error_in(second)["error"]["code"] == "invalid_json"


@pytest.mark.parametrize("message", [CHAT, TEMPLATE])
def test_post_that_hangs_at_the_deadline_leaves_time_for_the_error(
    upstream: ScriptedUpstream, message: object
) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    hanging = threading.Event()

    def hangs(request: UpstreamRequest, connection: socket.socket) -> None:
        hanging.set()
        SILENCE(request, connection)

    connections = FaultyConnections(hangs, frozenset([0]))
    with scripted_upstream() as server:
        server.script = connections
        client = ConnectionsClient(server.url.replace("/v1", "/dev"), ENVIRON)
        gateway = gateway_with({"OPENAI_BASE_URL": upstream.url}, client)
        gateway.answer(message_of(message), deadline_in(int(MARGIN_S * 1000) + 1000))
        client.close()
    assert hanging.is_set()
    assert error_in(connections.frames[-1])["error"]["code"] == "deadline_exceeded"
    assert len(connections.frames) == 2


@pytest.mark.parametrize(
    ("failure", "code", "detail"),
    [
        (
            KeyError("AWS_ACCESS_KEY_ID"),
            "delivery_failed",
            "A frame could not be posted: KeyError.",
        ),
        (PostTooLarge("413"), "post_too_large", "API Gateway rejects"),
    ],
)
def test_frame_that_can_never_be_posted_is_explained(
    bench: WebSocketBench, failure: Exception, code: str, detail: str
) -> None:
    def on_post(frame: bytes) -> None:
        if b'"error"' not in frame:
            raise failure

    bench.upstream.script = endless("one")
    bench.posts.on_post = on_post
    (frame,) = bench.documents(CHAT)
    assert (frame["id"], bench.error["code"]) == ("7", code)
    assert "AWS" not in json.dumps(frame)
    fields = bench.logged()
    assert fields["outcome"] == code
    assert fields["detail"].startswith(detail)


def test_kept_connections_are_closed_before_the_explanation(bench: WebSocketBench) -> None:
    bench.upstream.script = endless("one")
    failures: list[DeliveryError] = [PostUnconfirmed("did not say")]
    closed: list[int] = []
    bench.posts.on_close = lambda: closed.append(len(bench.posts.frames))

    def on_post(_frame: bytes) -> None:
        if failures:
            raise failures.pop()

    bench.posts.on_post = on_post
    bench.send(TEMPLATE)
    assert (closed, len(bench.posts.frames)) == ([0], 1)
