"""Server-sent events by the rules of the HTML standard, at every cut."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sseclient import SSEClient

from sluice.completions.sse import MAX_EVENT_BYTES, Event, EventParser
from sluice.errors import UpstreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES = st.sampled_from(
    (b"data: a", b"data:b", b"data", b"data:  c", b"event: e", b"id: 1", b"retry: 2", b": ping")
)


def events_of(*chunks: bytes) -> list[Event]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def data_of(*chunks: bytes) -> list[str]:
    return [event.data for event in events_of(*chunks) if event.data is not None]


def cuts_of(stream: bytes) -> Iterable[list[bytes]]:
    """The stream in two pieces, cut at each position, and in single bytes."""
    yield from ([stream[:cut], stream[cut:]] for cut in range(len(stream) + 1))
    yield [stream[at : at + 1] for at in range(len(stream))]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        # The examples of https://html.spec.whatwg.org/multipage/server-sent-events.html
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            b"data:  third event\n\n",
            ["first event", "second event", " third event"],
        ),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
        # What else they say.
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data: \xef\xbb\xbfa\n\n\xef\xbb\xbfdata: b\n\n", ["\ufeffa"]),
        (b"data: \xffb\xe2\x82\n\n", ["\ufffdb\ufffd"]),
        (b"data: a\n\ndata: cut off\n", ["a"]),
        (b"DATA: a\n data: b\ndatas: c\n\ndata: d: e\n\n", ["d: e"]),
        (b"\n\n\r\r\n\ndata: a\n\n", ["a"]),
        ("data: é😀\u2028\x0b\n\n".encode(), ["é😀\u2028\x0b"]),
    ],
)
def test_stream_is_read_as_the_standard_says(stream: bytes, data: list[str]) -> None:
    for chunks in cuts_of(stream):
        assert data_of(*chunks) == data, chunks


def test_each_line_may_have_an_end_of_its_own() -> None:
    ends = (b"\n", b"\r", b"\r\n")
    for of_line, of_blank, of_next in product(ends, repeat=3):
        if (of_line, of_blank) == (b"\r", b"\n"):
            continue  # together they are one end
        stream = b"data: a" + of_line + of_blank + b"data: b" + of_next + b"data: c\n\n"
        for chunks in cuts_of(stream):
            assert data_of(*chunks) == ["a", "b\nc"], chunks


def test_event_has_its_name_and_the_lines_that_are_no_fields() -> None:
    stream = b'event: error\ndata: x\nerror: y\n{"a":1}\n\n{}\n\nevent: only\n\ndata: z\n\n'
    for chunks in cuts_of(stream):
        assert events_of(*chunks) == [
            Event("error", "x", 'error: y\n{"a":1}'),
            Event("", None, "{}"),
            Event("", "z", ""),
        ]


def test_event_comes_with_its_blank_line_and_not_later() -> None:
    for end in (b"\n\n", b"\r\r", b"\r\n\r"):
        assert data_of(b"data: a" + end) == ["a"]


@given(st.lists(st.one_of(LINES, st.just(b""), st.just(b"")), max_size=12), st.integers(1, 9))
def test_sseclient_reads_the_same(lines: list[bytes], size: int) -> None:
    """It knows an event by two equal line ends only, and takes a cut-off event for a whole one."""
    stream = b"\n".join([*lines, b"", b""])
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    judge = [(event.event, event.data) for event in SSEClient(iter(pieces)).events()]
    own = [(event.name or "message", event.data) for event in events_of(*pieces)]
    # It drops events without data unless they have a name, and removes one line end more.
    assert [each for each in own if each[1]] == [each for each in judge if each[1]]


def test_event_that_the_end_cuts_off_is_at_hand() -> None:
    for stream in (b"data: a", b"data: a\n", b"data: x\n\ndata: a\r\n"):
        parser = EventParser()
        parser.feed(stream)
        assert parser.end() == Event("", "a", "")
    assert EventParser().end() is None


def test_data_of_a_begun_event_is_known_if_it_is_short() -> None:
    for stream, data in (
        (b"", b""),
        (b"data: [DONE]", b" [DONE]"),
        (b"data:[DONE]\r\n", b"[DONE]"),
        (b"id: [DONE]", b""),
        (b"data: a\ndata: b", b""),
        (b"data: " + b"x" * 100, b""),
    ):
        parser = EventParser()
        parser.feed(stream)
        assert parser.begun_data() == data


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 9994, b"data: 1\n" * 1000, b"{}\n" * 1000])
def test_event_is_bounded(piece: bytes) -> None:
    with pytest.raises(UpstreamBroken, match=f"over {MAX_EVENT_BYTES} bytes"):
        events_of(*[piece] * (MAX_EVENT_BYTES // len(piece) + 2))
