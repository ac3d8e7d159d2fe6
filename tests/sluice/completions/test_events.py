"""Chat completions as events, streamed at any cut or whole, and what is not one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.completions.events import MAX_COMPLETION_BYTES, CompletionEvent, completion_events
from sluice.completions.sse import MAX_EVENT_BYTES, MAX_EVENT_LINES
from sluice.errors import UpstreamBroken, UpstreamRefused
from tests.scripted_upstream import answer_stream, delta, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAMED = {"content-type": "text/event-stream; charset=utf-8"}
WHOLE = {"content-type": "application/json"}
DONE = sse("[DONE]")


def events_of(*chunks: bytes, headers: dict[str, str] = STREAMED) -> list[CompletionEvent]:
    return list(completion_events(headers, chunks))


def text_of(*chunks: bytes) -> str:
    return "".join(event.text for event in events_of(*chunks))


def test_event_has_its_data_its_document_and_its_text() -> None:
    data = '{ "choices":[{"delta":{"content":"é"}, "finish_reason":"stop"}]}'
    (event,) = events_of(sse(data))
    assert (event.data, event.document, event.text) == (data, json.loads(data), "é")


def test_end_mark_is_not_an_event_and_nothing_after_it_is_read() -> None:
    def chunks() -> Iterable[bytes]:
        yield delta("a") + DONE
        raise AssertionError("read on after the end")

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
    "stream",
    [
        answer_stream(["a", "b"]).replace(b"\n", b"\r\n"),
        answer_stream(["a", "b"]).replace(b"\n", b"\r"),
        b": keep-alive\n\nevent: x\nid: 1\nretry: 5\n" + answer_stream(["ab"]),
        b"\xef\xbb\xbf" + delta("a") + delta("b") + DONE,
        answer_stream(["ab"]).replace(DONE, b""),
    ],
    ids=["CR LF", "CR", "other fields", "byte order mark", "finish reason without an end mark"],
)
def test_stream_may_be_written_in_each_way_of_the_specification(stream: bytes) -> None:
    for cut in range(6):
        assert text_of(stream[:cut], stream[cut:]) == "ab"


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
    (event,) = events_of(sse(document) + DONE)
    assert (event.document, event.text) == (document, "")


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "ended before its answer"),
        (delta("half"), "ended before its answer"),
        (delta("half") + b"data: [DO", "is not JSON"),
        (sse("no json"), "is not JSON"),
        (sse("[" * 100_000), "is not JSON"),
        (sse("[1]"), "is not a JSON object"),
        (b"data: \xff\n\n", "is not UTF-8"),
    ],
)
def test_stream_that_is_cut_short_or_garbled_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        events_of(stream)


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        ({"message": "no", "code": "c"}, {"message": "no", "code": "c"}),
        ("no", {"message": "no"}),
    ],
)
def test_error_within_a_stream_is_the_upstreams(error: object, reported: object) -> None:
    events = completion_events(STREAMED, [delta("half"), sse({"error": error})])
    assert next(events).text == "half"
    with pytest.raises(UpstreamRefused) as caught:
        next(events)
    assert (caught.value.reported, caught.value.http_status) == (reported, 502)
    assert caught.value.document()["message"] == "no"


def test_answer_in_one_piece_is_one_event() -> None:
    document = {"choices": [{"message": {"content": "é"}, "finish_reason": "stop"}]}
    data = json.dumps(document, ensure_ascii=False, indent=1)
    body = data.encode()
    for cut in range(len(body) + 1):
        (event,) = events_of(body[:cut], body[cut:], headers=WHOLE)
        assert (event.data, event.document, event.text) == (data, document, "é")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"{}", "has no choices"),
        (b'{"choices":[]}', "has no choices"),
    ],
)
def test_answer_in_one_piece_without_a_choice_is_an_error(body: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        events_of(body, headers=WHOLE)


@pytest.mark.parametrize(
    ("headers", "piece", "limit", "message"),
    [
        (WHOLE, b" " * (MAX_COMPLETION_BYTES // 4), 5, str(MAX_COMPLETION_BYTES)),
        (STREAMED, b"data: " + b"x" * (MAX_EVENT_BYTES // 4), 5, f"over {MAX_EVENT_BYTES} bytes"),
        (STREAMED, b"data: 1\n", MAX_EVENT_LINES + 1, f"over {MAX_EVENT_LINES} lines"),
    ],
    ids=["completion", "bytes of an event", "lines of an event"],
)
def test_nothing_is_read_past_its_limit(
    headers: dict[str, str], piece: bytes, limit: int, message: str
) -> None:
    read = 0

    def chunks() -> Iterable[bytes]:
        nonlocal read
        while True:
            read += 1
            yield piece

    with pytest.raises(UpstreamBroken, match=message):
        list(completion_events(headers, chunks()))
    assert read <= limit


@pytest.mark.parametrize(
    "chunks",
    [
        [delta("")] * (MAX_EVENT_LINES + 1),
        [(b": " + b"ping" * 250 + b"\n\n") * 16] * (MAX_EVENT_BYTES // 16_000 + 1),
        [b": " + b"x" * 100_000 + b"\n", b"\n"] * (MAX_EVENT_BYTES // 100_000 + 1),
    ],
    ids=["events", "comments", "blank lines in chunks of their own"],
)
def test_limits_are_for_one_event_and_not_for_a_stream(chunks: list[bytes]) -> None:
    assert text_of(*chunks, delta("a"), DONE) == "a"
