"""From a client's message to the frames posted: each kind of message, and each failure."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import ConnectionGone, DeliveryError, PostForbidden
from sluice.websocket.delivery import MAX_WAITING
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    GatedAnswer,
    answer_stream,
    chunk,
    delta,
    dies_after,
    endless,
    holds_after,
    replies,
    says,
    sse,
)
from tests.sluice.answering import SECRET
from tests.sluice.websocket.asking import (
    CHAT,
    HELLO,
    PLAIN,
    TEMPLATE,
    WebSocketBench,
    gateway_with,
    message_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scripted_upstream import Script


def slow_until(moment: float) -> Callable[[bytes], None]:
    """Posts that end at a moment of the monotonic clock; errors are fast."""

    def on_post(frame: bytes) -> None:
        if not frame.startswith(b'{"error"'):
            threading.Event().wait(max(0.0, moment - time.monotonic()))

    return on_post


def test_plain_prompt_is_answered_by_text_without_an_end_mark(bench: WebSocketBench) -> None:
    assert "".join(bench.send(PLAIN)) == "Hello"
    assert bench.upstream.requests[0].document["messages"] == HELLO


def test_template_stream_ends_with_its_mark(bench: WebSocketBench) -> None:
    request = {"prompt_template": "PROMPT_A", "messages": HELLO}
    *frames, last = bench.send(request, PROMPT_A="Be brief.")
    assert ("".join(frames), last) == ("Hello", "<END>")
    assert bench.upstream.requests[0].document["messages"][0]["content"] == "Be brief."


@pytest.mark.parametrize(
    ("response_type", "text", "frame"),
    [("int", "So [[42]]", "42"), ("string", "[[yes]]", "yes"), ("full", "all of it", "all of it")],
)
def test_value_comes_in_one_frame(
    bench: WebSocketBench, response_type: str, text: str, frame: str
) -> None:
    bench.upstream.script = says(*text)
    assert bench.send({**TEMPLATE, "response_type": response_type}) == [frame]


def test_chat_is_the_providers_events_in_numbered_frames(bench: WebSocketBench) -> None:
    frames = bench.documents(CHAT)
    data = [line for line in answer_stream(["Hel", "lo"]).decode().split("\n\n") if line][:-1]
    events = [event for frame in frames for event in frame["events"]]
    assert events == [json.loads(line.removeprefix("data: ")) for line in data]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert {frame["id"] for frame in frames} == {"7"}
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    sent = {"model": "m", "messages": HELLO, "stream": True}
    assert bench.upstream.requests[0].document == sent


def test_chat_without_a_stream_is_one_event_and_the_end(bench: WebSocketBench) -> None:
    completion = {"choices": [{"message": {"content": "all"}, "finish_reason": "stop"}]}
    bench.upstream.script = replies(200, completion)
    request = {"messages": HELLO, "stream": False}
    frames = bench.documents({**CHAT, "request": request})
    assert frames == [{"id": "7", "seq": 0, "events": [completion], "done": True}]
    assert bench.upstream.requests[0].document["stream"] is False


def test_providers_request_alone_gets_frames_without_an_id(bench: WebSocketBench) -> None:
    native = {"model": "m", "messages": HELLO, "temperature": 0.5}
    frames = bench.documents(native)
    assert bench.upstream.requests[0].document == {**native, "stream": True}
    assert all("id" not in frame for frame in frames)
    assert frames[-1]["done"]


@pytest.mark.parametrize("message", [TEMPLATE, PLAIN, CHAT])
def test_first_delta_is_posted_before_the_upstream_sends_the_second(
    bench: WebSocketBench, message: object
) -> None:
    bench.upstream.script = gated = GatedAnswer("one", "two")
    sent_when_posted: list[int] = []

    def on_post(_frame: bytes) -> None:
        sent_when_posted.append(len(gated.sent))
        gated.open()

    gated.open()
    bench.posts.on_post = on_post
    first, second, *_ = bench.send(message)
    assert ("one" in first, "two" in first, "two" in second) == (True, False, True)
    assert sent_when_posted[:2] == [1, 2]


def text_of_chat(bench: WebSocketBench) -> str:
    """The text in a chat's frames, which are within the limit, and the last of which is the end."""
    frames = bench.send(CHAT)
    assert all(len(frame.encode()) <= 128 * 1024 for frame in frames)
    assert json.loads(frames[-1])["done"]
    events = [event for frame in frames for event in json.loads(frame)["events"]]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(each.get("content", "") for each in deltas)


def test_event_larger_than_a_frame_comes_in_parts_with_keys_masked(bench: WebSocketBench) -> None:
    text = "é€😀" * 50_000
    bench.upstream.script = says(text)
    assert text_of_chat(bench) == text
    bench.upstream.script = says("x" * 200_000 + "\ud83d", "\ude00")  # half a character
    assert text_of_chat(bench) == "x" * 200_000 + "\ud83d" + "\ude00"
    bench.upstream.script = says(f"Your key is {SECRET}. " * 20_000)
    assert text_of_chat(bench) == "Your key is [key]. " * 20_000


def test_endpoint_is_the_events_unless_it_is_set(bench: WebSocketBench) -> None:
    bench.send(PLAIN)
    bench.send(PLAIN, API_GW_ENDPOINT="http://127.0.0.1:3001/")
    assert bench.posts.endpoints == ["https://abc.example.com/dev", "http://127.0.0.1:3001"]


def test_wrong_request_is_an_error_frame_with_its_id(bench: WebSocketBench) -> None:
    secret_prompt = {**TEMPLATE, "prompt_template": "OPENAI_API_KEY", "id": "7"}
    for message, code, param, request_id in (
        ("no json", "invalid_json", None, None),
        ({"action": "dance", "id": "mine"}, "invalid_field", "action", "mine"),
        (secret_prompt, "prompt_template_not_allowed", "prompt_template", "7"),
    ):
        (frame,) = bench.documents(message)
        assert (bench.error["code"], bench.error["param"]) == (code, param)
        assert frame.get("id") == request_id
    assert bench.upstream.requests == []


@pytest.mark.parametrize("message", [PLAIN, CHAT])
def test_upstreams_error_is_a_frame_without_keys(
    bench: WebSocketBench, message: dict[str, object]
) -> None:
    error = {"message": f"bad key {SECRET}", "type": "t", "param": None, "code": "c"}
    bench.upstream.script = replies(401, {"error": error})
    (frame,) = bench.documents(message)
    assert bench.error == {**error, "message": "bad key [key]"}
    assert frame.get("id") == message.get("id")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"", "upstream_incomplete"),
        (sse({"error": {"message": "overloaded"}}), "upstream_refused"),
    ],
    ids=["dies", "error event"],
)
@pytest.mark.parametrize("message", [TEMPLATE, CHAT])
def test_answer_that_breaks_off_is_an_error_after_what_came(
    bench: WebSocketBench, stream: bytes, code: str, message: dict[str, object]
) -> None:
    bench.upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half") + stream))
    first, last = bench.send(message)
    assert "half" in first
    assert (bench.error["code"], json.loads(last).get("id")) == (code, message.get("id"))


@pytest.mark.parametrize("message", [TEMPLATE, CHAT])
def test_deadline_is_an_error_frame(bench: WebSocketBench, message: object) -> None:
    bench.upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    bench.send(message, remaining_ms=int(MARGIN_S * 1000) + 1000)
    assert bench.error["code"] == "deadline_exceeded"
    assert bench.upstream.gone.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (says("x" * 400_000), "deadline_exceeded"),
        (dies_after(EVENT_STREAM_HEAD + chunk(delta("x" * 400_000))), "upstream_incomplete"),
        (
            dies_after(EVENT_STREAM_HEAD + chunk(delta("x" * 2 * MAX_WAITING))),
            "upstream_incomplete",
        ),
    ],
    ids=["whole answer", "some frames wait", "no room for more"],
)
def test_error_replaces_slow_frames_when_time_is_up(
    bench: WebSocketBench, script: Script, code: str
) -> None:
    bench.upstream.script = script
    bench.posts.on_post = slow_until(time.monotonic() + 1.25)  # later than the answer may end
    frames = bench.send(TEMPLATE, remaining_ms=int(MARGIN_S * 1000) + 1000)
    assert len(frames) == 2
    assert (bench.error["code"], bench.logged()["outcome"]) == (code, code)


def test_post_without_a_reply_at_the_deadline_is_logged(bench: WebSocketBench) -> None:
    taken = threading.Event()
    bench.posts.on_post = lambda _frame: taken.wait(PATIENCE_S)
    bench.send(PLAIN, 1_300)
    taken.set()
    fields = bench.logged()
    assert (fields["outcome"], fields["frames"]) == ("deadline_exceeded", 0)


@pytest.mark.parametrize(
    ("error", "is_silent"),
    [(ConnectionGone("gone"), True), (PostForbidden("needs a permission"), False)],
)
def test_post_that_fails_for_good_ends_the_upstream_request_and_is_logged(
    bench: WebSocketBench, error: DeliveryError, *, is_silent: bool
) -> None:
    silent = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    bench.upstream.script = silent if is_silent else endless()

    def fails(_frame: bytes) -> None:
        raise error

    bench.posts.on_post = fails
    assert bench.send(TEMPLATE) == []
    assert bench.upstream.gone.wait(PATIENCE_S)
    assert bench.logged().items() >= {"outcome": error.code, "detail": error.message}.items()


def test_error_stays_one_frame_however_long_it_is(bench: WebSocketBench) -> None:
    bench.upstream.script = replies(400, {"error": {"message": "m" * 300_000, "code": {"odd": 1}}})
    (document,) = bench.documents({**PLAIN, "id": "i" * 130_000})
    assert len(document["error"]["message"]) < 10_000
    assert len(document["id"]) < 1_000


def test_bug_in_the_gateway_is_an_error_frame_and_an_error_of_the_function(
    bench: WebSocketBench,
) -> None:
    bugs = [KeyError("private")]

    def remaining_ms() -> int:
        if bugs:
            raise bugs.pop()
        return 900_000

    gateway = gateway_with({"OPENAI_BASE_URL": bench.upstream.url}, bench.posts)
    with pytest.raises(KeyError):
        gateway.answer(message_of(CHAT), Deadline(remaining_ms))
    assert bench.error["code"] == "internal_error"
    fields = bench.logged()
    assert (fields["outcome"], fields["cause"]) == ("internal_error", "KeyError")
    assert "private" not in json.dumps(fields) + bench.error["message"]


def test_log_has_the_figures_of_a_message(bench: WebSocketBench) -> None:
    frames = bench.documents(CHAT)
    fields = bench.logged()
    for name in ("first_frame_ms", "total_ms"):
        assert fields.pop(name) >= 0
    assert fields == {
        "request_id": "r-1",
        "transport": "websocket",
        "connection_id": "c-1=",
        "kind": "chat",
        "model": "m",
        "frames": len(frames),
        "joined_deltas": 5 - len([frame for frame in frames if frame["events"]]),
        "outcome": "ok",
        "provider": "openai",
        "retries": 0,
        "upstream_request_id": "req_upstream",
        "usage": {"total_tokens": 3},
    }


@pytest.mark.parametrize(("message", "kind"), [(PLAIN, "plain"), (CHAT, "chat")])
def test_log_has_what_was_said_only_if_that_is_set(
    bench: WebSocketBench, message: object, kind: str
) -> None:
    bench.upstream.script = says("the private ", "answer")
    bench.send(message)
    assert not {"messages", "answer"} & bench.logged().keys()
    bench.send(message, LOG_CHAT="true")
    fields = bench.logged()
    assert fields["kind"] == kind
    assert (fields["messages"], fields["answer"]) == (HELLO, "the private answer")
    assert fields["source_ip"] == "192.0.2.1"
