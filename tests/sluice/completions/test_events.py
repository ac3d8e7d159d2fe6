"""Chat completions as events, streamed at any cut or whole, and what is not one."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import pytest

from sluice.completions.events import (
    MAX_COMPLETION_BYTES,
    MAX_CONTAINERS,
    CompletionEvent,
    completion_events,
)
from sluice.completions.sse import MAX_EVENT_BYTES
from sluice.errors import UpstreamBroken, UpstreamRefused
from tests.scripted_upstream import answer_stream, delta, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAMED = {"content-type": "text/event-stream; charset=utf-8"}
WHOLE = {"content-type": "application/json"}
DONE = sse("[DONE]")
STOP = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def events_of(*chunks: bytes, headers: dict[str, str] = STREAMED) -> list[CompletionEvent]:
    return list(completion_events(headers, chunks))


def text_of(*chunks: bytes, headers: dict[str, str] = STREAMED) -> str:
    return "".join(event.text for event in events_of(*chunks, headers=headers))


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
        {"usage": {"total_tokens": 3}, "error": None},
        {"choices": None, "message": "an ordinary event"},
        {"choices": [None], "error": False},
        {"choices": [{"index": 0}], "message": "another"},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None}}]},
        {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"text": "x"}]}]}}]},
        {"choices": [{"delta": {"content": [{"type": "reasoning", "text": "x"}, {"a": 1}, 7]}}]},
        {"choices": [{"delta": {"tool_calls": []}}]},
        {"choices": [{"delta": {"content": "", "reasoning_content": "x"}}]},
        {"choices": [{"delta": {"content": None, "reasoning": "x", "reasoning_details": []}}]},
        {"choices": [{"delta": {"thinking": "x", "thinking_blocks": [{"text": "x"}]}}]},
    ],
)
def test_event_without_text_is_an_event(document: dict[str, object]) -> None:
    (event, _) = events_of(sse(document) + STOP + DONE)
    assert (event.document, event.text) == (document, "")


@pytest.mark.parametrize(
    "content",
    [
        "ab",
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}, {"text": "ab"}],
        ["a", {"type": "output_text", "text": "b"}, {"type": "image_url", "text": "x"}],
    ],
)
def test_content_may_be_in_parts(content: object) -> None:
    streamed = sse({"choices": [{"delta": {"content": content}}]}) + STOP
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert text_of(streamed) == "ab"
    assert text_of(sse(whole)) == "ab"
    (event,) = events_of(json.dumps(whole).encode(), headers=WHOLE)
    assert event.text == "ab"


@pytest.mark.parametrize("headers", [STREAMED, WHOLE, {"content-type": "text/plain"}, {}])
def test_event_without_data_says_nothing(headers: dict[str, str]) -> None:
    beats = (b"data", b"data:", b"data: ", b"data: \t ", b"data:\ndata:", b"data: null")
    for beat in beats:
        for fields in (b"", b"event: ping\n", b"event: error\n", b"id: 1\nretry: 2\n"):
            mute = fields + beat + b"\n\n"
            stream = mute + delta("a") + mute + delta("b") + STOP + mute + DONE
            assert text_of(stream, headers=headers) == "ab", mute


def test_message_of_an_event_does_not_repeat_its_deltas() -> None:
    message = {"content": "ab"}
    both = {"choices": [{"delta": {"content": "b"}, "message": message, "finish_reason": "stop"}]}
    assert text_of(delta("a") + sse(both)) == "ab"
    assert (
        text_of(delta("a") + delta("b") + sse({"choices": [{"message": message}]}) + DONE) == "ab"
    )


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "ended before its answer"),
        (DONE, "before it began"),
        (sse({"choices": []}) + DONE, "before it began"),
        (delta("half"), "ended before its answer"),
        (delta("half") + b"data: [DO", "ended before its answer"),
        (delta("half") + b'data: {"choices', "ended before its answer"),
        (sse("no json"), "is not JSON"),
        (sse("{} {}"), "is not JSON"),
        (sse("[" * 100_000), "is not JSON"),
        (sse("[1]"), "is not a JSON object"),
        (b"data: \xff\n\n", "is not JSON"),
        (sse('{"a": [' + "[]," * MAX_CONTAINERS + "0]}"), f"over {MAX_CONTAINERS} lists"),
    ],
)
def test_stream_that_is_cut_short_or_garbled_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        events_of(stream)


WORDS = "words of the provider"
FLAT = {"code": 400, "message": WORDS, "type": "invalid_request_error"}


@pytest.mark.parametrize(
    "failure",
    [
        sse({"error": {"message": WORDS}}),
        sse({"error": WORDS, "choices": []}),
        sse({"choices": [{"delta": {}}], "error": {"message": WORDS}}),
        sse(FLAT),
        sse({"object": "error", "message": WORDS, "code": None}),
        sse({"type": "error", "code": "x", "message": WORDS}),
        sse({"statusCode": "503", "message": WORDS}),
        sse({"code": "InternalError", "message": WORDS}),
        sse(json.dumps([{"error": {"code": 429, "message": WORDS}}])),
        b"event: error\n" + sse(FLAT),
        b"event:error\ndata: " + WORDS.encode() + b"\n\n",
        sse({"detail": WORDS}).replace(b"data", b"event: error\ndata"),
        b"error: " + json.dumps(FLAT).encode() + b"\n\n",
        b"error:" + WORDS.encode() + b"\n\n",
        b"event: Error \r\ndata: " + WORDS.encode() + b"\r\n\r\n",
        json.dumps({"error": {"message": WORDS}}).encode() + b"\n\n",
        json.dumps(FLAT, indent=1).encode() + b"\n\n",
        json.dumps([{"error": {"message": WORDS}}]).encode() + b"\n",
    ],
)
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_error_within_an_answer_is_the_providers_in_whatever_form(
    failure: bytes, content_type: str
) -> None:
    for stream in (failure, failure + DONE, STOP + failure + DONE, delta("half") + failure + DONE):
        for cut in (0, 1, len(stream) // 2, len(stream) - 1):
            with pytest.raises(UpstreamRefused) as caught:
                events_of(stream[:cut], stream[cut:], headers={"content-type": content_type})
            assert caught.value.document()["message"] == WORDS
            assert caught.value.http_status == 502


@pytest.mark.parametrize("text", ["Internal Server Error", "[ERROR] no room"])
def test_text_in_the_place_of_json_is_quoted_if_it_names_an_error(text: str) -> None:
    for headers, body in (
        (STREAMED, sse(text)),
        (WHOLE, text.encode()),
        ({}, text.encode()),
        (WHOLE, b"{} " + text.encode()),
    ):
        with pytest.raises(UpstreamRefused) as caught:
            events_of(body, headers=headers)
        assert caught.value.document()["message"] == text


@pytest.mark.parametrize("said", [sse({"message": WORDS}), WORDS.encode() + b"\n\n"])
def test_what_may_be_an_error_explains_an_answer_that_never_came(said: bytes) -> None:
    for stream in (said, said + DONE, delta("half") + said):
        with pytest.raises(UpstreamRefused) as caught:
            events_of(stream)
        assert caught.value.document()["message"] == WORDS
    assert text_of(said + delta("a") + said + STOP + DONE) == "a"


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("end", [b"", b"\n\n", b"data: [DONE]\n\n", b"\n\ndata: [DONE]\n\n"])
def test_whole_completion_is_an_answer_under_whatever_name(content_type: str, end: bytes) -> None:
    document = {"choices": [{"message": {"content": "é"}, "finish_reason": "stop"}]}
    stream = json.dumps(document).encode() + end
    for cut in range(len(stream)):
        (event,) = events_of(stream[:cut], stream[cut:], headers={"content-type": content_type})
        assert (event.document, event.text) == (document, "é")


def test_end_mark_needs_no_line_end() -> None:
    for mark in (b"data: [DONE]", b"data:[DONE]\r", b"data: [DONE] \n"):
        for cut in range(len(mark)):

            def chunks(cut: int = cut, mark: bytes = mark) -> Iterable[bytes]:
                yield delta("a") + mark[:cut]
                yield mark[cut:]
                raise AssertionError("read on after the end")

            assert [event.text for event in completion_events(STREAMED, chunks())] == ["a"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_number_that_json_does_not_know_is_null(number: str) -> None:
    """Python's json.dumps writes them, also into log probabilities."""
    data = f'{{"choices": [{{"delta": {{"content": "\\ud83d"}}, "x": [{number}, 1e400, 0.10]}}]}}'
    (event,) = events_of(sse(data) + DONE)
    assert event.data == '{"choices":[{"delta":{"content":"\\ud83d"},"x":[null,null,0.1]}]}'


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_compressed_answer_is_read(encoding: str) -> None:
    plain = answer_stream(["a", "b"])
    data = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    for cut in range(len(data)):
        headers = {**STREAMED, "content-encoding": encoding}
        assert text_of(data[:cut], data[cut:], headers=headers) == "ab"


def test_events_without_their_content_type_are_recognized_at_every_cut() -> None:
    for first in (b"", b": ping\n\n", b"\xef\xbb\xbf\n", b"event: x\n", b"id: 1\n", b"data\n\n"):
        stream = first + answer_stream(["a", "b"])
        for cut in range(len(stream)):
            assert text_of(stream[:cut], stream[cut:], headers=WHOLE) == "ab"


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
        (b"", "has no choices"),
        (b"{} <html>", "is not JSON"),
        (b"[1]", "is not a JSON object"),
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
    ],
    ids=["completion", "bytes of an event"],
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
        [delta("")] * (4097),
        [(b": " + b"ping" * 250 + b"\n\n") * 16] * (MAX_EVENT_BYTES // 16_000 + 1),
        [b": " + b"x" * 100_000 + b"\n", b"\n"] * (MAX_EVENT_BYTES // 100_000 + 1),
    ],
    ids=["events", "comments", "blank lines in chunks of their own"],
)
def test_limits_are_for_one_event_and_not_for_a_stream(chunks: list[bytes]) -> None:
    assert text_of(*chunks, delta("a"), DONE) == "a"
