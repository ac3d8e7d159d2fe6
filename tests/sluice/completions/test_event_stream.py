"""Server-sent events as bytes: cut after lines, and completed."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.completions.event_stream import (
    BLANK_LINES,
    MAX_BLANK_LINE_BYTES,
    MAX_HELD_BYTES,
    pieces_of_events,
    readable,
    recognized,
    stream_end,
    whole_lines,
)
from tests.scripted_upstream import delta


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"a", b"\n"))))
def test_whole_lines_are_the_same_bytes(chunks: list[bytes]) -> None:
    pieces = list(whole_lines(chunks))
    assert b"".join(pieces) == b"".join(chunks)
    assert all(piece.endswith((b"\n", b"\r")) for piece in pieces[:-1])


def test_chunk_of_whole_lines_is_passed_at_once_and_not_copied() -> None:
    event = delta("a")
    assert next(whole_lines(iter([event, b"data: "]))) is event


def test_line_that_does_not_end_is_not_held_forever() -> None:
    line = b"x" * (MAX_HELD_BYTES + 1)
    assert next(whole_lines(iter([line, line]))) == line


@pytest.mark.parametrize(
    ("tail", "missing"),
    [
        (b"data: [DONE]\n\n", b""),
        (b"data: [DONE]\r\n\r\n", b""),
        (b"data: [DONE]\r\r", b""),
        (b"data: [DONE]\n\r\n", b""),
        (b"data: [DONE]\r\r\n", b""),
        (b"data: [DONE]\r\n\r", b""),
        (b"data: [DONE]\r", b"\r"),
        (b"data: [DONE]\n", b"\n"),
        (b"data: [DONE]\r\n", b"\n"),
        (b"data: [DONE]", b"\n"),
        (b"", b""),
    ],
)
def test_stream_end_adds_the_line_end_that_is_missing(tail: bytes, missing: bytes) -> None:
    assert stream_end(tail) == missing


def test_event_may_end_in_any_two_line_ends() -> None:
    ends = (b"\n", b"\r", b"\r\n")
    for of_line, of_blank in product(ends, repeat=2):
        tail = (b"data: a" + of_line + of_blank)[-MAX_BLANK_LINE_BYTES:]
        is_one_end = (of_line, of_blank) == (b"\r", b"\n")
        assert tail.endswith(BLANK_LINES) is not is_one_end


@pytest.mark.parametrize(
    ("start", "is_stream"),
    [
        (b"data: {", True),
        (b"data\n", True),
        (b": ping", True),
        (b"event:x", True),
        (b"id: 1", True),
        (b"retry: 5", True),
        (b"error: {", True),
        (b"\xef\xbb\xbf\r\n\ndata:", True),
        (b'{"data: ": 1}', False),
        (b" [1]", False),
        (b"database: x", False),
        (b"<html>", False),
        (b"\xef\xbbx", False),
        (b"dat", False),
        (b"", False),
    ],
)
def test_first_bytes_tell_an_event_stream_at_every_cut(start: bytes, *, is_stream: bool) -> None:
    for cut in range(len(start) + 1):
        pieces = filter(None, (start[:cut], start[cut:]))
        found, chunks = recognized({"content-type": "text/plain"}, pieces)
        assert (found, b"".join(chunks)) == (is_stream, start)
    assert recognized({"content-type": "text/event-stream"}, (start,))[0]


def test_blank_bytes_are_not_held_for_ever() -> None:
    pieces = [b"\n" * MAX_HELD_BYTES, b"\n", b"data: "]
    found, chunks = recognized({}, iter(pieces))
    assert (found, b"".join(chunks)) == (False, b"".join(pieces))


def test_end_mark_is_seen_at_every_cut_and_passed_at_once() -> None:
    for end in (b"", b"\n", b"\r\n\r\n", b" \n\n"):
        stream = delta("a") + b"data: [DONE]" + end
        for cut in range(len(stream) + 1):
            ends: list[None] = []
            lines = whole_lines([stream[:cut], stream[cut:], b"more"], partial(ends.append, None))
            passed = b""
            while not ends:
                passed += next(lines)
            assert stream.startswith(passed)
            assert passed.rstrip().endswith(b"[DONE]")


def test_end_mark_within_a_text_ends_nothing() -> None:
    said = [delta("data: [DONE]"), b"data: [DONE]!\n", b"xdata: [DONE]\n"]
    assert list(whole_lines(said, partial(pytest.fail, "no end mark"))) == said


HEARTBEATS = (
    "data", "data:", "data: ", "data:  \t", "data: null", "data:|data: ", "event: ping|data:",
    "data:|id: 7", "retry: 1|data:", "event: ping", "event: ping|: hello|data: null",
)  # fmt: skip
"""A | is a line end."""
READABLE = (
    "", ": ping", 'data: {"a": 1}', 'data:{"a":|data:1}', "data: DONE", "data:|data: 1",
    "event: a|data: 1", "event: a|id: 1|data: {}|retry: 1", "error: {}", '{"error": 1}',
    "data: nul", "data: 1|data:|event: ping", "id: 7", "retry: 5|id: 7",
)  # fmt: skip


def test_heartbeats_become_comments_at_every_cut_and_nothing_else_changes() -> None:
    for heartbeat, event, end in product(HEARTBEATS, READABLE, ("\n", "\r", "\r\n")):
        comment = ":" + heartbeat.replace("|", "|:")
        sent, expected = (
            f"{event}||{said}|{event}|{event}".replace("|", end).encode()
            for said in (f"{heartbeat}|", comment)
        )
        for cut in range(len(sent) + 1):
            pieces = whole_lines([sent[:cut], sent[cut:]])
            assert b"".join(readable(pieces)) == expected, (sent, cut)
            whole = pieces_of_events(sent, cut)
            assert b"".join(readable(whole)) == expected, (sent, cut)


def test_events_with_data_are_passed_at_once_and_not_copied() -> None:
    for event in (delta("a"), delta("a") + delta("b"), b"event: a\n" + delta("a"), b": ping\n\n"):
        passed = readable(iter([event, event, b"event: a\n"]))
        assert next(passed) == event
        assert next(passed) is event or event.startswith(b":")


def test_fields_without_data_are_not_held_for_ever() -> None:
    lines = b"id: 1\n" * (MAX_HELD_BYTES // 6 + 1)
    assert next(readable(iter([lines, b"id: 1\n"]))) == lines + b"id: 1\n"
