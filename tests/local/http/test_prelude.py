"""The prelude of a streamed answer, whole and at every split."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.errors import PreludeError
from local.http.prelude import HttpHead, PreludeParser, head_from, parse_metadata
from local.limits import MAX_PRELUDE_BYTES

METADATA = {
    "statusCode": 201,
    "headers": {"Content-Type": "text/plain", "X-Number": 3},
    "cookies": ["a=1; Path=/", "b=2"],
}
HEAD = HttpHead(201, (("Content-Type", "text/plain"), ("X-Number", "3")), ("a=1; Path=/", "b=2"))
BODY = b"body\0\0\0\0\0\0\0\0more"
STREAM = json.dumps(METADATA).encode() + b"\0" * 8 + BODY


def feed(pieces: list[bytes]) -> tuple[HttpHead, bytes] | None:
    """Return the head and the whole body of a stream that comes in `pieces`."""
    parser = PreludeParser()
    for number, piece in enumerate(pieces):
        found = parser.feed(piece)
        if found is not None:
            return found[0], found[1] + b"".join(pieces[number + 1 :])
    return None


def test_prelude_is_found_at_every_split() -> None:
    for at in range(len(STREAM) + 1):
        assert feed([STREAM[:at], STREAM[at:]]) == (HEAD, BODY)
    assert feed([STREAM[n : n + 1] for n in range(len(STREAM))]) == (HEAD, BODY)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_prelude_is_found_at_any_splits(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(edges)]
    assert feed(pieces) == (HEAD, BODY)


def test_empty_body_follows_at_once() -> None:
    assert feed([b"{}" + b"\0" * 8]) == (HttpHead(), b"")


def test_stream_without_end_of_prelude_gives_nothing() -> None:
    parser = PreludeParser()
    assert parser.is_empty()
    assert parser.feed(b"{}" + b"\0" * 7) is None
    assert not parser.is_empty()


def test_prelude_of_the_maximum_size_is_read() -> None:
    start, end = b'{"headers":{"x":"', b'"}}'
    room = MAX_PRELUDE_BYTES - 8 - len(start) - len(end)
    text = start + b"a" * room + end
    assert feed([text, b"\0" * 8]) is not None


@pytest.mark.parametrize("step", [1000, MAX_PRELUDE_BYTES + 9])
def test_prelude_that_is_too_long_is_rejected(step: int) -> None:
    text = b'{"headers":{"x":"' + b"a" * MAX_PRELUDE_BYTES + b'"}}' + b"\0" * 8
    with pytest.raises(PreludeError, match="within 16384 bytes"):
        feed([text[n : n + step] for n in range(0, len(text), step)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"hello", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"null", "prelude must be an object .got NoneType"),
        (b"[]", "prelude must be an object .got list"),
        (b'{"statusCode": "abc"}', "statusCode must be 100 to 599"),
        (b'{"statusCode": 99}', "statusCode must be 100 to 599"),
        (b'{"statusCode": true}', "statusCode must be 100 to 599"),
        (b'{"statusCode": 200.5}', "statusCode must be 100 to 599"),
        (b'{"headers": []}', "headers must be an object"),
        (b'{"headers": {"a": null}}', "header 'a' must hold text"),
        (b'{"headers": {"a b": "c"}}', "invalid header name 'a b'"),
        (b'{"headers": {"a": "b\\r\\nc: d"}}', "must not hold control characters"),
        (b'{"cookies": "a=1"}', "cookies must be a list"),
        (b'{"cookies": ["a\\nb"]}', "must not hold control characters"),
    ],
)
def test_invalid_metadata_is_rejected(text: bytes, message: str) -> None:
    with pytest.raises(PreludeError, match=message):
        parse_metadata(text)


def test_numbers_and_truth_values_become_header_text() -> None:
    head = head_from({"statusCode": "404", "headers": {"a": True, "b": 1.5}})
    assert head == HttpHead(404, (("a", "true"), ("b", "1.5")))


def test_multi_value_headers_are_repeated() -> None:
    assert head_from({"multiValueHeaders": {"a": ["1", "2"]}}).headers == (("a", "1"), ("a", "2"))


def test_header_is_found_in_any_case() -> None:
    assert HEAD.header("content-type") == "text/plain"
    assert HEAD.header("nope") is None
