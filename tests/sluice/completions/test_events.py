"""Chat completions as events, streamed at any cut or whole, and what is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.completions.events import MAX_COMPLETION_BYTES, CompletionEvent, completion_events
from sluice.completions.sse import MAX_EVENT_LINES
from sluice.errors import UpstreamBroken, UpstreamRefused
from tests.scripted_upstream import answer_stream, delta, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAMED = {"content-type": "text/event-stream; charset=utf-8"}
WHOLE = {"content-type": "application/json"}


def events_of(*chunks: bytes, headers: dict[str, str] = STREAMED) -> list[CompletionEvent]:
    return list(completion_events(headers, chunks))


def texts_of(*chunks: bytes) -> list[str]:
    return [event.text for event in events_of(*chunks)]


def test_event_is_what_was_sent_what_it_says_and_its_text() -> None:
    data = '{ "choices":[{"delta":{"content":"é"}, "finish_reason":"stop"}]}'
    (event,) = events_of(sse(data))
    assert (event.data, event.document, event.text) == (data, json.loads(data), "é")


def test_mark_at_the_end_is_no_event_and_nothing_behind_it_is_read() -> None:
    def chunks() -> Iterable[bytes]:
        yield delta("a") + sse("[DONE]")
        raise AssertionError("read on behind the end")

    assert [event.text for event in completion_events(STREAMED, chunks())] == ["a"]


def test_events_are_the_same_at_every_cut() -> None:
    stream = answer_stream(["é", "😀", "\x00\n", "</s>"])
    whole = events_of(stream)
    assert "".join(event.text for event in whole) == "é😀\x00\n</s>"
    for cut in range(len(stream) + 1):
        assert events_of(stream[:cut], stream[cut:]) == whole


def test_event_comes_before_the_next_bytes_are_read() -> None:
    def chunks() -> Iterable[bytes]:
        yield delta("first")
        raise ConnectionResetError

    events = iter(completion_events(STREAMED, chunks()))
    assert next(events).text == "first"


@pytest.mark.parametrize(
    "document",
    [
        {"choices": []},
        {"usage": {"total_tokens": 3}},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"index": 0}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None}}]},
        {"choices": [{"delta": {"content": [{"text": "x"}]}}]},
        {"choices": [{"delta": {"tool_calls": []}}]},
    ],
)
def test_event_without_text_is_an_event(document: dict[str, object]) -> None:
    (event,) = events_of(sse(document) + sse("[DONE]"))
    assert (event.document, event.text) == (document, "")


def test_answer_that_finished_needs_no_mark_at_its_end() -> None:
    stop = sse({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    usage = sse({"choices": [], "usage": {}})
    assert texts_of(delta("a"), stop, usage) == ["a", "", ""]


@pytest.mark.parametrize("stream", [b"", delta("half"), delta("half") + b"data: [DO"])
def test_answer_that_is_cut_short_is_broken(stream: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        events_of(stream)


@pytest.mark.parametrize(
    ("data", "message"),
    [("no json", "is not JSON"), ("[1]", "is not a JSON object"), ("[" * 100_000, "is not JSON")],
)
def test_event_that_cannot_be_read_is_broken(data: str, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        events_of(sse(data))


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        ({"message": "no", "code": "c"}, {"message": "no", "code": "c"}),
        ("no", {"message": "no"}),
    ],
)
def test_error_in_the_middle_is_the_upstreams(error: object, reported: object) -> None:
    events = completion_events(STREAMED, [delta("half"), sse({"error": error})])
    assert next(events).text == "half"
    with pytest.raises(UpstreamRefused) as caught:
        next(events)
    assert (caught.value.reported, caught.value.http_status) == (reported, 502)


def test_answer_in_one_piece_is_one_event() -> None:
    document = {"choices": [{"message": {"content": "é"}, "finish_reason": "stop"}]}
    data = json.dumps(document, ensure_ascii=False, indent=1)
    body = data.encode()
    for cut in range(len(body) + 1):
        (event,) = events_of(body[:cut], body[cut:], headers=WHOLE)
        assert (event.data, event.document, event.text) == (data, document, "é")


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"", "is not JSON"), (b"<html>", "is not JSON"), (b'{"choices":[]}', "has no choices")],
)
def test_answer_in_one_piece_that_is_none_is_broken(body: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        events_of(body, headers=WHOLE)


def test_answer_in_one_piece_is_read_no_further_than_its_bound() -> None:
    read = 0

    def chunks() -> Iterable[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * (MAX_COMPLETION_BYTES // 4)

    with pytest.raises(UpstreamBroken, match=str(MAX_COMPLETION_BYTES)):
        list(completion_events(WHOLE, chunks()))
    assert read == 5


def test_event_is_read_no_further_than_it_may_have_lines() -> None:
    with pytest.raises(UpstreamBroken, match=f"over {MAX_EVENT_LINES} lines"):
        events_of(*[b"data: 1\n"] * (MAX_EVENT_LINES + 1))


def test_many_events_are_no_event_of_many_lines() -> None:
    texts = ["a"] * (MAX_EVENT_LINES + 1)
    assert texts_of(*map(delta, texts), sse("[DONE]")) == texts
