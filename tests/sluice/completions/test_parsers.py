"""Parsers of answers, fed with every cut of their input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.completions.events import completion_events
from sluice.completions.parsers import (
    MAX_VALUE_CHARACTERS,
    IntegerSearch,
    TextSearch,
    first_value,
    text_deltas,
    whole_text,
    with_ascii_quotes,
)
from sluice.completions.request import ResponseType
from sluice.completions.sse import MAX_EVENT_BYTES
from sluice.errors import NoMatch, UpstreamBroken, UpstreamRefused
from tests.scripted_upstream import answer_stream, delta, sse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


def deltas_of(headers: Mapping[str, str], chunks: Iterable[bytes]) -> Iterator[str]:
    return text_deltas(completion_events(headers, chunks))


INTEGERS = [
    ("[[42]]", "42"),
    ("It is [[-7]].", "-7"),
    ("[[+1]] [[2]]", "+1"),
    ("[[a]] [[5]]", "5"),
    ("[[a [[5]]", "5"),
    ("[[[8]]]", "8"),
    ("[[5]x]] [[6]]", "6"),
    ("[[1 2]] [[3]]", "3"),
    ("[[٣]]", None),
    ("[5]", None),
    ("[[5", None),
    ("[[]]", None),
    ("[[--5]]", None),
    ("", None),
]
TEXTS = [
    ("[[yes]]", "yes"),
    ("So: [[ two words ]] and [[more]]", "two words"),
    ("[[a-b, c!]]", "a-b, c!"),
    ("[[]] [[  ]] [[x]]", "x"),
    ("[[a [[b]]", "a [[b"),
    ("[[a]b]]", "a]b"),
    ("[[line\nline]]", "line\nline"),
    ("[[日本]]", "日本"),
    ("[[[x]]", "[x"),
    ("[[never closed", None),
    ("]] [[", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "value"), INTEGERS)
def test_integer_is_found_however_the_answer_is_cut(text: str, value: str | None) -> None:
    for cut in range(len(text) + 1):
        search = IntegerSearch()
        assert (search.feed(text[:cut]) or search.feed(text[cut:])) == value
    assert _one_by_one(IntegerSearch(), text) == value


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_text_is_found_however_the_answer_is_cut(text: str, value: str | None) -> None:
    for cut in range(len(text) + 1):
        search = TextSearch()
        assert (search.feed(text[:cut]) or search.feed(text[cut:])) == value
    assert _one_by_one(TextSearch(), text) == value


@given(st.text("[]1a ", max_size=40), st.integers(1, 5))
def test_search_by_pieces_finds_what_search_at_once_finds(text: str, size: int) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    for kind in (IntegerSearch, TextSearch):
        by_pieces = kind()
        found = next(filter(None, map(by_pieces.feed, pieces)), None)
        assert found == kind().feed(text)


def test_integer_search_keeps_no_more_than_a_number_may_need() -> None:
    search = IntegerSearch()
    for _ in range(1000):
        assert search.feed("[[no number, [ at all ") is None
    assert len(search._text) < 10  # noqa: SLF001 -- that it forgets is the point


def test_unclosed_text_is_bounded() -> None:
    search = TextSearch()
    search.feed("[[")
    with pytest.raises(NoMatch):
        search.feed("x" * MAX_VALUE_CHARACTERS)


def test_value_is_known_before_the_answer_ends() -> None:
    read: list[str] = []

    def deltas() -> Iterator[str]:
        for text in ("It is [[4", "2]", "]", " because…"):
            read.append(text)
            yield text

    assert first_value(ResponseType.INT, deltas()) == "42"
    assert read == ["It is [[4", "2]", "]"]


def test_no_match_tells_what_was_said_cut_to_200_characters() -> None:
    with pytest.raises(NoMatch) as caught:
        first_value(ResponseType.STRING, iter(["No. "] * 100))
    assert caught.value.message.count("No. ") == 50
    assert caught.value.code == "no_match"


def test_deltas_of_a_stream_however_it_is_cut() -> None:
    data = answer_stream(["Héllo", " ", "wörld"])
    for cut in range(len(data)):
        assert "".join(deltas_of(STREAM, [data[:cut], data[cut:]])) == "Héllo wörld"


def test_empty_deltas_and_chunks_without_choices_give_nothing() -> None:
    assert list(deltas_of(STREAM, [answer_stream(["", "a"])])) == ["a"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_specification_is_understood(line_end: bytes) -> None:
    data = answer_stream(["a", "b"]).replace(b"\n", line_end)
    assert list(deltas_of(STREAM, [data])) == ["a", "b"]


def test_comments_and_other_fields_are_skipped() -> None:
    data = b": keep-alive\n\nevent: x\nid: 1\nretry: 5\n" + answer_stream(["a"])
    assert list(deltas_of(STREAM, [data])) == ["a"]


def test_byte_order_mark_does_not_cost_the_first_event() -> None:
    data = b"\xef\xbb\xbf" + delta("first") + sse("[DONE]")
    for cut in range(5):
        assert list(deltas_of(STREAM, [data[:cut], data[cut:]])) == ["first"]


def test_answer_that_is_not_streamed_is_one_delta() -> None:
    body = json.dumps({"choices": [{"message": {"content": "all"}}]}).encode()
    assert list(deltas_of(JSON, [body[:9], body[9:]])) == ["all"]


def test_stream_with_a_finish_reason_needs_no_done() -> None:
    data = answer_stream(["a"]).replace(b"data: [DONE]\n\n", b"")
    assert list(deltas_of(STREAM, [data])) == ["a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        delta("half"),
        delta("half") + b'data: {"choices":[{"del',
        b"data: no json\n\n",
        b"data: [1]\n\n",
        b"data: \xff\n\n",
    ],
)
def test_stream_that_is_cut_short_or_garbled_is_an_error(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        list(deltas_of(STREAM, [data]))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"choices":[]}', b"<html>"])
def test_completion_without_choices_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        list(deltas_of(JSON, [body]))


@pytest.mark.parametrize("error", [{"message": "too many", "code": "rate_limit"}, "too many"])
def test_error_in_the_middle_of_a_stream_is_the_upstreams(error: object) -> None:
    data = delta("a") + sse({"error": error})
    deltas = deltas_of(STREAM, [data])
    assert next(deltas) == "a"
    with pytest.raises(UpstreamRefused) as caught:
        next(deltas)
    assert caught.value.document()["message"] == "too many"


def test_event_without_an_end_does_not_fill_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"data: " + b"x" * 1_000_000

    with pytest.raises(UpstreamBroken, match="event of over"):
        list(deltas_of(STREAM, endless()))


def test_comments_that_keep_a_stream_alive_are_no_endless_event() -> None:
    pings = (b": " + b"ping" * 250 + b"\n\n") * 100
    data = [*[pings] * (2 * MAX_EVENT_BYTES // len(pings)), answer_stream(["a"])]
    assert list(deltas_of(STREAM, data)) == ["a"]


def test_blank_lines_between_chunks_end_events_too() -> None:
    event = [b"data: {}\n", b"\n"] * 100
    padded = [b": " + b"x" * 100_000 + b"\n", b"\n"] * 100
    assert list(deltas_of(STREAM, [*padded, *event, answer_stream(["a"])])) == ["a"]


def test_answer_that_is_not_streamed_is_bounded() -> None:
    with pytest.raises(UpstreamBroken, match="answer has over"):
        list(deltas_of(JSON, (b" " * 1_000_000 for _ in range(100))))


def test_whole_text_is_bounded() -> None:
    assert whole_text(iter(["a", "b"])) == "ab"
    with pytest.raises(UpstreamBroken, match="response_type stream"):
        whole_text("x" * 1_000_000 for _ in range(10))


def _one_by_one(search: IntegerSearch | TextSearch, text: str) -> str | None:
    return next(filter(None, map(search.feed, text)), None)


def test_curly_quotation_marks_become_straight_ones_and_nothing_else_changes() -> None:
    single, double = "\u2018\u2019\u201a\u201b", "\u201c\u201d\u201e\u201f"
    assert list(with_ascii_quotes([single, double, "", "a"])) == ["'" * 4, '"' * 4, "", "a"]
    others = "".join(map(chr, range(0x110000))).translate(dict.fromkeys(range(0x2018, 0x2020)))
    assert list(with_ascii_quotes([others])) == [others]
