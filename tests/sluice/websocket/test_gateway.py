"""The WebSocket's answers, from the message to the frames that are posted."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import ConnectionGone, PostForbidden
from sluice.websocket.delivery import MAX_WAITING
from sluice.websocket.events import MessageEvent, parse_message
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    delta,
    dies_after,
    endless,
    refused_url,
    replies,
    says,
)
from tests.sluice.deadlines import deadline_in
from tests.sluice.websocket.asking import AT_MS, HELLO, SECRET, Posts, gateway_with, send


def test_plain_prompt_is_answered_by_text_without_an_end_mark(upstream: ScriptedUpstream) -> None:
    frames = send(upstream.url, {"action": "sendmessage", "data": "Hello"}, Posts())
    assert "".join(frames) == "Hello"
    assert upstream.requests[0].document["messages"] == HELLO


def test_template_stream_ends_with_its_mark(upstream: ScriptedUpstream) -> None:
    request = {"prompt_template": "PROMPT_A", "messages": HELLO}
    frames = send(upstream.url, request, Posts(), PROMPT_A="Be brief.")
    assert ("".join(frames[:-1]), frames[-1]) == ("Hello", "<END>")
    assert upstream.requests[0].document["messages"][0]["content"] == "Be brief."


@pytest.mark.parametrize(
    ("response_type", "said", "frame"),
    [("int", "So [[42]]", "42"), ("string", "[[yes]]", "yes"), ("full", "all of it", "all of it")],
)
def test_value_comes_in_one_frame(
    upstream: ScriptedUpstream, response_type: str, said: str, frame: str
) -> None:
    upstream.script = says(*said)
    request = {"messages": HELLO, "response_type": response_type}
    assert send(upstream.url, request, Posts()) == [frame]


def test_upstream_is_closed_as_soon_as_the_value_is_known(upstream: ScriptedUpstream) -> None:
    upstream.script = endless("[[7]]")
    assert send(upstream.url, {"messages": HELLO, "response_type": "int"}, Posts()) == ["7"]
    assert upstream.gone.wait(20)


def test_first_delta_is_posted_before_the_upstream_sends_the_second(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated
    sent_when_posted: list[int] = []

    def on_post(_frame: bytes) -> None:
        sent_when_posted.append(len(gated.sent))
        gated.open()

    gated.open()
    frames = send(upstream.url, {"messages": HELLO}, Posts(on_post))
    assert frames[:2] == ["one", "two"]
    assert sent_when_posted[:2] == [1, 2]


def test_ping_is_answered_without_the_model() -> None:
    assert send(refused_url(), {"action": "ping"}, Posts()) == ['{"type": "pong"}']


def test_endpoint_is_the_events_unless_it_is_set(upstream: ScriptedUpstream) -> None:
    posts = Posts()
    send(upstream.url, {"action": "ping"}, posts)
    send(upstream.url, {"action": "ping"}, posts, API_GW_ENDPOINT="http://127.0.0.1:3001/")
    assert posts.endpoints == ["https://abc.example.com/dev", "http://127.0.0.1:3001"]


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("no json", "invalid_json", None),
        ({"action": "dance"}, "invalid_field", "action"),
        ({"messages": HELLO, "response_type": "xml"}, "invalid_field", "response_type"),
        (
            {"messages": HELLO, "prompt_template": "OPENAI_API_KEY"},
            "prompt_template_not_allowed",
            "prompt_template",
        ),
    ],
)
def test_wrong_request_is_an_error_frame(
    upstream: ScriptedUpstream, message: object, code: str, param: str | None
) -> None:
    posts = Posts()
    send(upstream.url, message, posts)
    assert (posts.error["code"], posts.error["param"]) == (code, param)
    assert upstream.requests == []


def test_error_frame_has_the_id_the_client_gave(upstream: ScriptedUpstream) -> None:
    (frame,) = send(upstream.url, {"action": "dance", "id": "mine"}, Posts())
    assert json.loads(frame)["id"] == "mine"


@pytest.mark.parametrize("status", [401, 429, 500])
def test_upstreams_error_is_told_in_a_frame(upstream: ScriptedUpstream, status: int) -> None:
    error = {"message": f"bad key {SECRET}", "type": "t", "param": None, "code": "c"}
    upstream.script = replies(status, {"error": error})
    posts = Posts()
    send(upstream.url, {"action": "sendmessage", "data": "Hello"}, posts)
    assert posts.error == {**error, "message": "bad key [key]"}


def test_upstream_that_is_not_there_is_told_in_a_frame() -> None:
    posts = Posts()
    send(refused_url(), {"action": "sendmessage", "data": "Hello"}, posts)
    assert posts.error["code"] == "upstream_unreachable"


def test_upstream_that_dies_in_the_middle_is_told_after_what_it_said(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    posts = Posts()
    frames = send(upstream.url, {"messages": HELLO}, posts)
    assert frames[0] == "half"
    assert posts.error["code"] == "upstream_incomplete"
    assert len(frames) == 2


def test_deadline_is_told_in_a_frame(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()
    posts = Posts()
    send(upstream.url, {"messages": HELLO}, posts, remaining_ms=int(MARGIN_S * 1000) + 200)
    assert posts.error["code"] == "deadline_exceeded"
    gated.open(2)


def test_gone_client_ends_the_upstream_request(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_frame: bytes) -> None:
        raise ConnectionGone("gone")

    upstream.script = endless()
    assert send(upstream.url, {"messages": HELLO}, Posts(gone)) == []
    assert upstream.gone.wait(20)
    assert json.loads(capsys.readouterr().out)["outcome"] == "connection_gone"


def test_client_that_goes_while_the_model_is_silent_ends_the_upstream_request(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()

    def gone(_frame: bytes) -> None:
        raise ConnectionGone("gone")

    assert send(upstream.url, {"messages": HELLO}, Posts(gone)) == []
    assert gated.sent == ["one"]
    gated.open(2)


def test_connection_to_the_model_is_kept_from_answer_to_answer(upstream: ScriptedUpstream) -> None:
    ports = set()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.add(connection.getpeername())
        says("a", "b")(request, connection)

    upstream.script = script
    gateway = gateway_with({"OPENAI_BASE_URL": upstream.url}, Posts())
    for response_type in ("stream", "full", "stream"):
        body = json.dumps({"messages": HELLO, "response_type": response_type})
        gateway.answer(MessageEvent("c-1=", "r-1", "d", "s", body, AT_MS), deadline_in(900_000))
    assert len(ports) == 1


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"]
)
@pytest.mark.parametrize("response_type", ["stream", "full"])
def test_upstream_that_closes_its_connection_behind_a_good_answer_is_no_error(
    upstream: ScriptedUpstream, head: bytes, response_type: str
) -> None:
    answer = head + b"Content-Type: text/event-stream\r\n\r\n" + answer_stream(["a"])
    upstream.script = dies_after(answer)
    frames = send(upstream.url, {"messages": HELLO, "response_type": response_type}, Posts())
    assert frames == (["a", "<END>"] if response_type == "stream" else ["a"])


def test_half_a_character_at_the_end_of_an_answer_does_not_hold_it_up(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = says("Hi ", "\ud83d")
    frames = send(upstream.url, {"action": "sendmessage", "data": "x"}, Posts())
    assert "".join(frames) == "Hi \ufffd"


@pytest.mark.parametrize("characters", [400_000, 2 * MAX_WAITING], ids=["some wait", "no room"])
def test_error_behind_slow_frames_is_told_in_place_of_them_when_time_is_over(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], characters: int
) -> None:
    never = threading.Event()

    def slow(frame: bytes) -> None:
        if not frame.startswith(b'{"error"'):
            never.wait(0.8)

    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("x" * characters)))
    posts = Posts(slow)
    send(upstream.url, {"messages": HELLO}, posts, remaining_ms=int(MARGIN_S * 1000) + 400)
    assert posts.error["code"] == "upstream_incomplete"
    assert json.loads(capsys.readouterr().out)["outcome"] == "upstream_incomplete"


def test_prompt_that_holds_a_forward_key_is_refused(upstream: ScriptedUpstream) -> None:
    posts = Posts()
    request = {"prompt_template": "PROMPT_A", "messages": HELLO}
    prompt = "You know fk-forward-secret."
    send(upstream.url, request, posts, PROMPT_A=prompt, FORWARD_KEY="fk-forward-secret")
    assert posts.error["code"] == "prompt_template_not_allowed"


def test_upstream_that_keeps_talking_behind_its_end_is_left(upstream: ScriptedUpstream) -> None:
    def talkative(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(answer_stream(["a"])))
        while True:
            connection.sendall(chunk(b": ping\n\n"))
            threading.Event().wait(0.05)

    upstream.script = talkative
    assert send(upstream.url, {"messages": HELLO}, Posts()) == ["a", "<END>"]
    assert upstream.gone.wait(20)


def test_error_stays_one_frame_however_long_it_is(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(400, {"error": {"message": "m" * 300_000, "code": {"odd": 1}}})
    message = {"action": "sendmessage", "data": "x", "id": "i" * 130_000}
    (frame,) = send(upstream.url, message, Posts())
    document = json.loads(frame)
    assert len(document["error"]["message"]) < 10_000
    assert len(document["id"]) < 1_000


def test_slow_connection_is_told_that_the_time_is_over(upstream: ScriptedUpstream) -> None:
    never = threading.Event()

    def slow(frame: bytes) -> None:
        if not frame.startswith(b'{"error"'):
            never.wait(0.8)

    upstream.script = says("x" * 400_000)
    posts = Posts(slow)
    send(upstream.url, {"messages": HELLO}, posts, remaining_ms=int(MARGIN_S * 1000) + 400)
    assert posts.error["code"] == "deadline_exceeded"
    assert len(posts.frames) == 2


def test_post_that_nobody_has_answered_by_the_deadline_is_no_good_outcome(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = threading.Event()

    def on_post(_frame: bytes) -> None:
        taken.wait(PATIENCE_S)

    send(upstream.url, {"action": "sendmessage", "data": "Hello"}, Posts(on_post), 1_300)
    taken.set()
    fields = json.loads(capsys.readouterr().out)
    assert (fields["outcome"], fields["frames"]) == ("deadline_exceeded", 0)


def test_template_name_that_is_no_name_is_the_clients_fault(upstream: ScriptedUpstream) -> None:
    posts = Posts()
    send(upstream.url, {"prompt_template": "PROMPT_\ud800", "messages": HELLO}, posts)
    assert posts.error["code"] == "prompt_template_not_allowed"


def test_missing_permission_is_named_in_the_log(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(_frame: bytes) -> None:
        raise PostForbidden("the role needs execute-api:ManageConnections")

    send(upstream.url, {"messages": HELLO}, Posts(forbidden))
    fields = json.loads(capsys.readouterr().out)
    assert fields["outcome"] == "post_forbidden"
    assert "execute-api:ManageConnections" in fields["detail"]


def test_log_line_has_figures_and_neither_prompt_nor_answer_nor_key(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says("the secret answer")
    send(upstream.url, {"action": "sendmessage", "data": "the secret question"}, Posts())
    (line,) = capsys.readouterr().out.splitlines()
    fields = json.loads(line)
    assert (fields["outcome"], fields["frames"]) == ("ok", 1)
    assert "secret" not in line


def test_event_of_api_gateway_is_read() -> None:
    context = {
        "connectionId": "c",
        "requestId": "r",
        "domainName": "d",
        "stage": "s",
        "requestTimeEpoch": 7,
    }
    assert parse_message({"requestContext": context}) == MessageEvent("c", "r", "d", "s", "", 7)
