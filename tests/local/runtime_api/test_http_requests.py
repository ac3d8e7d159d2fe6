"""HTTP requests of a runtime, at every split of their bytes, valid and malformed."""

from __future__ import annotations

import pytest

from local.runtime_api.http_requests import (
    MAX_CHUNK_LINE_BYTES,
    BodyEnd,
    BodyPiece,
    MalformedRequestError,
    RequestEvent,
    RequestHead,
    RequestReader,
)

MAX_HEAD = 1000
HEAD = b"POST /a?b=c HTTP/1.1\r\nHost: h\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = HEAD + b"X-Mine:  yes \r\nTransfer-Encoding: Chunked\r\n\r\n"
STREAM = (
    CHUNKED
    + b"5\r\nhello\r\n"
    + b'6;name="x"\r\n world\r\n'
    + b"00\r\nError-Type: Boom\r\nError-Body: e30=\r\n\r\n"
)
SIZED = HEAD + b"Content-Length: 11\r\n\r\nhello world"


def reader() -> RequestReader:
    return RequestReader(MAX_HEAD)


def read(*parts: bytes) -> list[RequestEvent]:
    it = reader()
    return [event for part in parts for event in it.receive(part)]


def body(events: list[RequestEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, BodyPiece))


def test_requests_are_read_at_every_split() -> None:
    headers = {"host": "h", "x-mine": "yes", "transfer-encoding": "Chunked"}
    for at in range(len(STREAM) + 1):
        head, *pieces, end = read(STREAM[:at], STREAM[at:])
        assert head == RequestHead("POST", "/a?b=c", headers)
        assert body(pieces) == b"hello world"
        assert end == BodyEnd({"error-type": "Boom", "error-body": "e30="})
    for at in range(len(SIZED) + 1):
        head, *pieces, end = read(SIZED[:at], SIZED[at:])
        assert isinstance(head, RequestHead)
        assert (body(pieces), end) == (b"hello world", BodyEnd({}))
    events = read(*(bytes([byte]) for byte in STREAM))
    assert body(events) == b"hello world"
    assert isinstance(events[-1], BodyEnd)


def test_bytes_read_at_once_are_one_piece() -> None:
    assert len(read(STREAM)) == 3
    assert len(read(SIZED)) == 3


def test_chunk_that_is_read_alone_is_not_copied_into_a_buffer() -> None:
    it = reader()
    it.receive(CHUNKED)
    for data in (b"x", b"y" * 40_000, b"\r\n0\r\n\r\n"):
        assert it.receive(b"%x\r\n%b\r\n" % (len(data), data)) == [BodyPiece(data)]
        assert not it.has_unread()
    assert it.receive(b"0\r\n\r\n") == [BodyEnd({})]


def test_size_that_is_split_after_a_zero_is_one_size() -> None:
    events = read(CHUNKED, b"0", b"5\r\nhello\r\n", b"6\r\n world\r\n0\r\n\r\n")
    assert body(events) == b"hello world"
    assert events[-1] == BodyEnd({})


def test_part_of_a_large_body_is_passed_on_as_it_was_read() -> None:
    it = reader()
    it.receive(HEAD + b"Content-Length: 300000\r\n\r\n")
    part = b"x" * 100_000
    (piece,) = it.receive(part)
    assert isinstance(piece, BodyPiece)
    assert piece.data is part


@pytest.mark.parametrize("request_bytes", [NEXT, HEAD + b"Content-Length: 0\r\n\r\n"])
def test_request_without_a_body_ends_with_its_head(request_bytes: bytes) -> None:
    head, end = read(request_bytes)
    assert isinstance(head, RequestHead)
    assert end == BodyEnd({})


def test_next_request_is_kept_until_there_is_a_reply() -> None:
    it = reader()
    assert len(it.receive(SIZED + NEXT)) == 3
    assert it.has_unread()
    assert it.receive(NEXT) == []
    for _ in range(2):
        it.reply(200, [], b"")
        assert it.receive(b"")[0] == RequestHead("GET", "/next", {"host": "h"})
    it.reply(200, [], b"")
    assert not it.has_unread()


def test_bytes_before_the_reply_are_limited() -> None:
    it = reader()
    it.receive(NEXT)
    with pytest.raises(MalformedRequestError, match="the reply"):
        it.receive(b"x" * (MAX_HEAD + 1))


def test_reply_states_its_length() -> None:
    it = reader()
    it.receive(NEXT)
    expected = b"HTTP/1.1 200 \r\na: b\r\ncontent-length: 1\r\n\r\nx"
    assert it.reply(200, [("a", "b")], b"x") == expected
    assert not it.closes


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: te, Close\r\n\r\n",
        b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: te\r\nConnection: close\r\n\r\n",
        b"GET /next HTTP/1.0\r\n\r\n",
    ],
)
def test_last_request_of_a_connection_is_known(request_bytes: bytes) -> None:
    it = reader()
    it.receive(request_bytes)
    assert it.closes
    assert b"\r\nconnection: close\r\n" in it.reply(200, [], b"")


def test_repeated_fields_are_joined_in_order() -> None:
    (head, _) = read(b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\na:2\r\nA:\t3\t\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert head.headers["a"] == "1, 2, 3"


def test_value_may_hold_any_byte_but_control_characters() -> None:
    (head, _) = read(b"GET / HTTP/1.1\r\nHost: h\r\nA: \xa0b:\x85c\xa0\r\nEmpty:\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert (head.headers["a"], head.headers["empty"]) == ("\xa0b:\x85c\xa0", "")


FIELDS = [
    b"no colon",
    b": no name",
    b"A : b",
    b"A: b\r\n folded",
    b"A: b\nB: c",
    b"A: b\rc",
    b"A: b\x00",
    b"Content-Length:",
    *(b"Content-Length: " + n for n in b"-1 +1 1_0 \xb2 x 9999999999999999".split()),
    b"Content-Length: 1\r\nContent-Length: 1",
    b"Content-Length: 1\r\nContent-Length: 2",
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 1",
]
"""Malformed ones, and lengths that could be read in two ways."""


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\r\n\r\n",
        b"\r\n" + NEXT,
        b"GET /next\r\n\r\n",
        b"GET /next HTTP/2.0\r\nHost: h\r\n\r\n",
        b"GET  /next HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"G\xe9T / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /n\xe9xt HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /next HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        *(HEAD + fields + b"\r\n\r\n" for fields in FIELDS),
    ],
)
def test_malformed_head_is_rejected(data: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        read(data)


@pytest.mark.parametrize(
    "chunk",
    [
        *(size + b"\r\n" for size in (b"x", b"", b"-1", b"0x1", b"1_0", b" 1", b"1" * 17)),
        b"1\nx",
        b"1\n\r\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n\n",
        b"2\r\nx\r\n0\r\n\r\n",
        b"1;a\x00\r\nx\r\n",
        b"0\r\nno trailer\r\n\r\n",
    ],
)
def test_malformed_chunk_is_rejected(chunk: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        read(CHUNKED, chunk)
    with pytest.raises(MalformedRequestError):
        read(CHUNKED + chunk)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("start", [NEXT[:-2], CHUNKED + b"0\r\n"])
def test_head_and_trailers_are_limited(start: bytes, end: bytes) -> None:
    used = len(NEXT[:-2]) if start.startswith(b"GET") else 0
    longest = b"x" * (MAX_HEAD - used - len(b"a: ") - len(end) // 2)
    read(start + b"a: " + longest + end)
    with pytest.raises(MalformedRequestError, match="1000 bytes"):
        read(start + b"a: " + longest + b"x" + end)


def test_line_of_a_chunk_is_limited() -> None:
    read(CHUNKED, b"1;" + b"x" * 200 + b"\r\n")
    with pytest.raises(MalformedRequestError):
        read(CHUNKED, b"1;" + b"x" * MAX_CHUNK_LINE_BYTES)
    with pytest.raises(MalformedRequestError):
        read(CHUNKED, b"1;" + b"x" * MAX_CHUNK_LINE_BYTES + b"\r\nx\r\n")


def test_long_head_that_comes_slowly_is_searched_once() -> None:
    it = RequestReader(1 << 20)
    it.receive(NEXT[:-2] + b"a: ")
    for _ in range(100):
        assert it.receive(b"x" * 10_000) == []
    head, _ = it.receive(b"\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert len(head.headers["a"]) == 1_000_000
    it.reply(200, [], b"")
    assert len(it.receive(NEXT)) == 2
