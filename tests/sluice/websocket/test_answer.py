"""Chats, values and what the log has of them, from the message to the frames that are posted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.conversation_log import (
    MAX_LOGGED_ANSWER_CHARACTERS,
    MAX_LOGGED_MESSAGES_BYTES,
)
from sluice.deadline import MARGIN_S
from sluice.state.connections import ConnectionState
from sluice.state.sqlite import SqliteState
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    holds_after,
    replies,
    says,
    sse,
)
from tests.sluice.deadlines import FOREVER
from tests.sluice.websocket.asking import HELLO, SECRET, Posts, gateway_with, message_of, send

if TYPE_CHECKING:
    from pathlib import Path

CHAT = {"action": "chat", "id": "7", "request": {"model": "m", "messages": HELLO}}
CLOUDWATCH_LINE_BYTES = 256 * 1024


def documents(frames: list[str]) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames]


def test_chat_is_the_providers_events_in_numbered_frames(upstream: ScriptedUpstream) -> None:
    upstream.script = says("Hel", "lo")
    frames = documents(send(upstream.url, CHAT, Posts()))
    data = [line for line in answer_stream(["Hel", "lo"]).decode().split("\n\n") if line][:-1]
    events = [event for frame in frames for event in frame["events"]]
    assert events == [json.loads(line.removeprefix("data: ")) for line in data]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert {frame["id"] for frame in frames} == {"7"}
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    assert upstream.requests[0].document == {"model": "m", "messages": HELLO, "stream": True}


def test_chat_without_a_model_asks_the_default_one(upstream: ScriptedUpstream) -> None:
    request = {"messages": HELLO, "tools": [], "stream_options": {"include_usage": True}}
    send(upstream.url, {**CHAT, "request": request}, Posts())
    assert upstream.requests[0].document == {**request, "model": "gpt-4o-mini", "stream": True}


def test_chat_that_wants_no_stream_is_one_event_and_the_end(upstream: ScriptedUpstream) -> None:
    completion = {"choices": [{"message": {"content": "all"}, "finish_reason": "stop"}]}
    upstream.script = replies(200, completion)
    request = {"messages": HELLO, "stream": False}
    (frame,) = send(upstream.url, {**CHAT, "request": request}, Posts())
    assert json.loads(frame) == {"id": "7", "seq": 0, "events": [completion], "done": True}
    assert upstream.requests[0].document["stream"] is False


def test_providers_request_alone_is_answered_by_frames_without_an_id(
    upstream: ScriptedUpstream,
) -> None:
    native = {"model": "m", "messages": HELLO, "temperature": 0.5}
    frames = documents(send(upstream.url, native, Posts()))
    assert upstream.requests[0].document == {**native, "stream": True}
    assert all("id" not in frame for frame in frames)
    assert frames[-1]["done"]


def test_first_event_of_a_chat_is_posted_before_the_second_is_sent(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated
    sent_when_posted: list[int] = []

    def on_post(_frame: bytes) -> None:
        sent_when_posted.append(len(gated.sent))
        gated.open()

    gated.open()
    frames = documents(send(upstream.url, CHAT, Posts(on_post)))
    assert [len(frame["events"]) for frame in frames] == [1, 1, 0]
    assert sent_when_posted[:2] == [1, 2]


def test_event_too_large_for_a_frame_comes_in_several(upstream: ScriptedUpstream) -> None:
    text = "é😀\n" * 100_000
    upstream.script = says(text)
    posts = Posts()
    frames = send(upstream.url, CHAT, posts)
    assert all(len(frame.encode()) <= 128 * 1024 for frame in frames)
    choices = [c for f in documents(frames) for e in f["events"] for c in e["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == text


def test_half_a_character_in_a_large_event_is_no_error(upstream: ScriptedUpstream) -> None:
    upstream.script = says("x" * 200_000 + "\ud83d", "\ude00")
    frames = documents(send(upstream.url, CHAT, Posts()))
    choices = [c for f in frames for e in f["events"] for c in e["choices"]]
    text = "".join(choice["delta"].get("content", "") for choice in choices)
    assert text == "x" * 200_000 + "\ud83d" + "\ude00"
    assert frames[-1]["done"]


@pytest.mark.parametrize("times", [1, 20_000], ids=["one frame", "across the parts of an event"])
def test_gateways_key_does_not_reach_the_client_of_a_chat(
    upstream: ScriptedUpstream, times: int
) -> None:
    upstream.script = says(f"Your key is {SECRET}. " * times)
    frames = documents(send(upstream.url, CHAT, Posts()))
    choices = [c for f in frames for e in f["events"] for c in e["choices"]]
    text = "".join(choice["delta"].get("content", "") for choice in choices)
    assert text == "Your key is [key]. " * times


@pytest.mark.parametrize("response_type", ["stream", "full", "string"])
def test_gateways_key_does_not_reach_the_client_of_a_text(
    upstream: ScriptedUpstream, response_type: str
) -> None:
    upstream.script = says("It is ", f"[[{SECRET}]]")
    request = {"messages": HELLO, "response_type": response_type}
    assert "[key]" in "".join(send(upstream.url, request, Posts()))


@pytest.mark.parametrize("status", [401, 429, 500])
def test_refused_chat_is_an_error_with_its_id(upstream: ScriptedUpstream, status: int) -> None:
    error = {"message": f"bad key {SECRET}", "type": "t", "param": None, "code": "c"}
    upstream.script = replies(status, {"error": error})
    posts = Posts()
    (frame,) = send(upstream.url, CHAT, posts)
    assert posts.error == {**error, "message": "bad key [key]"}
    assert json.loads(frame)["id"] == "7"


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (chunk(delta("half")), "upstream_incomplete"),
        (chunk(delta("half") + b"data: garbage\n\n"), "upstream_incomplete"),
        (chunk(delta("half") + sse({"error": {"message": "overloaded"}})), "upstream_refused"),
        (chunk(delta("half") + b"data: \xff\n\n"), "upstream_incomplete"),
    ],
    ids=["dies", "no JSON", "error event", "no UTF-8"],
)
def test_chat_that_breaks_off_is_an_error_behind_its_events(
    upstream: ScriptedUpstream, stream: bytes, code: str
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + stream)
    posts = Posts()
    first, last = documents(send(upstream.url, CHAT, posts))
    assert (first["seq"], len(first["events"])) == (0, 1)
    assert (posts.error["code"], last["id"]) == (code, "7")


def test_chat_at_its_deadline_is_an_error(upstream: ScriptedUpstream) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    posts = Posts()
    frames = send(upstream.url, CHAT, posts, remaining_ms=int(MARGIN_S * 1000) + 200)
    assert posts.error["code"] == "deadline_exceeded"
    assert json.loads(frames[-1])["id"] == "7"
    assert upstream.gone.wait(PATIENCE_S)


def short(text: str) -> bytes:
    return sse({"choices": [{"delta": {"content": text}}]})


@pytest.mark.parametrize(
    ("response_type", "deltas", "value"),
    [("int", ["So [", "[4", "2]", "]"], "42"), ("string", ["[[", " é😀", " ]]"], "é😀")],
)
def test_upstream_sends_nothing_behind_a_value_wherever_its_bytes_are_cut(
    upstream: ScriptedUpstream, response_type: str, deltas: list[str], value: str
) -> None:
    stream = b"".join(map(short, deltas))
    posts = Posts()
    gateway = gateway_with({"OPENAI_BASE_URL": upstream.url}, posts)
    message = message_of({"messages": HELLO, "response_type": response_type})
    for cut in range(1, len(stream)):
        upstream.gone.clear()
        upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(stream[:cut]), chunk(stream[cut:]))
        gateway.answer(message, FOREVER)
        assert upstream.gone.wait(PATIENCE_S)
    assert posts.frames == [value] * (len(stream) - 1)


@pytest.mark.parametrize(
    ("setting", "text"),
    [("true", "\"Hi\", it's 'so'"), ("false", "\u201cHi\u201d, it\u2019s \u201aso\u201b")],
)
def test_quotation_marks_of_texts_are_straight_where_that_is_set(
    upstream: ScriptedUpstream, setting: str, text: str
) -> None:
    upstream.script = says("\u201cHi", "\u201d, it\u2019s \u201aso\u201b")
    plain = {"action": "sendmessage", "data": "x"}
    for message in (plain, {"messages": HELLO, "response_type": "full"}):
        assert "".join(send(upstream.url, message, Posts(), ASCII_QUOTES=setting)) == text


def test_quotation_marks_of_a_chat_are_the_providers(upstream: ScriptedUpstream) -> None:
    upstream.script = says("\u201c")
    assert "\\u201c" in "".join(send(upstream.url, CHAT, Posts(), ASCII_QUOTES="true"))


@pytest.fixture
def state(tmp_path: Path) -> ConnectionState:
    state = ConnectionState(SqliteState(str(tmp_path / "state.sqlite3")))
    state.opened("c-1=", "ann")
    return state


def test_log_has_the_figures_of_a_chat(
    upstream: ScriptedUpstream, state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = documents(send(upstream.url, CHAT, Posts(), state=state))
    fields = json.loads(capsys.readouterr().out)
    for name in ("first_frame_ms", "total_ms"):
        assert fields.pop(name) >= 0
    assert fields == {
        "request_id": "r-1",
        "transport": "websocket",
        "connection_id": "c-1=",
        "kind": "chat",
        "principal": "ann",
        "model": "m",
        "frames": len(frames),
        "joined_deltas": 5 - len([frame for frame in frames if frame["events"]]),
        "outcome": "ok",
        "provider": "openai",
        "retries": 0,
        "upstream_request_id": "req_upstream",
        "usage": {"total_tokens": 3},
    }


def test_log_names_a_store_that_is_down(
    upstream: ScriptedUpstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ConnectionState(SqliteState(str(tmp_path)))  # a folder is no file
    frames = documents(send(upstream.url, CHAT, Posts(), state=state))
    assert frames[-1]["done"]
    fields = json.loads(capsys.readouterr().out)
    assert (fields["outcome"], fields["principal"]) == ("ok", None)
    assert "state file" in fields["state"]


MESSAGES = [{"role": "user", "content": "the private question"}]
KINDS: list[dict[str, Any]] = [
    {"action": "sendmessage", "data": "the private question"},
    {"messages": MESSAGES},
    {"messages": MESSAGES, "response_type": "full"},
    {"action": "chat", "id": "7", "request": {"messages": MESSAGES}},
    {"model": "m", "messages": MESSAGES},
]


@pytest.mark.parametrize("message", KINDS)
def test_log_has_nothing_of_what_was_said(
    upstream: ScriptedUpstream, message: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says("the private ", "answer")
    send(upstream.url, message, Posts())
    (line,) = capsys.readouterr().out.splitlines()
    assert "private" not in line
    assert SECRET not in line


@pytest.mark.parametrize("message", KINDS)
def test_log_has_what_was_said_where_that_is_set(
    upstream: ScriptedUpstream, message: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says("the private ", "answer")
    send(upstream.url, message, Posts(), LOG_CHAT="true")
    (line,) = capsys.readouterr().out.splitlines()
    fields = json.loads(line)
    assert (fields["messages"], fields["answer"]) == (MESSAGES, "the private answer")
    assert SECRET not in line


def test_log_has_what_was_said_until_an_answer_broke_off(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    send(upstream.url, CHAT, Posts(), LOG_CHAT="true")
    fields = json.loads(capsys.readouterr().out)
    assert (fields["outcome"], fields["answer"]) == ("upstream_incomplete", "half")


@pytest.mark.parametrize("character", ["x", "語", "\x01"])
def test_log_line_fits_cloudwatch_whatever_was_said(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], character: str
) -> None:
    upstream.script = says(character * MAX_LOGGED_ANSWER_CHARACTERS, "too much")
    content = character * (128 * 1024 // len(json.dumps(character, ensure_ascii=False)))
    request = {"messages": [{"role": "user", "content": content}]}
    send(upstream.url, {**CHAT, "request": request}, Posts(), LOG_CHAT="true")
    line = capsys.readouterr().out
    assert len(line) < CLOUDWATCH_LINE_BYTES
    fields = json.loads(line)
    assert fields["answer"] == character * MAX_LOGGED_ANSWER_CHARACTERS
    is_short = len(json.dumps(request["messages"])) <= MAX_LOGGED_MESSAGES_BYTES
    assert (fields["messages"] == request["messages"]) is is_short
    assert json.dumps(request["messages"]).startswith(str(fields["messages"])) is not is_short
