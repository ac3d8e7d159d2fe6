"""HTTP/1.1 replies, split at every byte."""

from __future__ import annotations

import pytest

from awslambda import http1
from awslambda.errors import RuntimeApiError
from awslambda.http1 import Reply, ReplyParser

REPLIES = {
    "content length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
        Reply(200, {"content-length": "5", "x-a": "1"}, b"hello", keep_alive=True),
    ),
    "chunks with an extension and trailers": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n"
        b"2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nT: v\r\n\r\n",
        Reply(200, {"transfer-encoding": "CHUNKED"}, b"abcde", keep_alive=True),
    ),
    "no body": (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        Reply(204, {}, b"", keep_alive=True),
    ),
    "after an informational reply": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        Reply(202, {"content-length": "0"}, b"", keep_alive=True),
    ),
    "the connection closes": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        Reply(200, {"connection": "close", "content-length": "1"}, b"x", keep_alive=False),
    ),
    "odd header case and whitespace": (
        b"HTTP/1.1 200 OK\r\nCoNtEnT-LeNgTh:   2  \r\nEmpty:\r\n\r\nok",
        Reply(200, {"content-length": "2", "empty": ""}, b"ok", keep_alive=True),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_reply_is_the_same_however_its_bytes_are_split(name: str) -> None:
    data, expected = REPLIES[name]
    for cut in range(1, len(data)):
        parser = ReplyParser()
        assert [parser.feed(data[:cut]), parser.feed(data[cut:])] == [None, expected], cut
    parser = ReplyParser()
    replies = [parser.feed(data[index : index + 1]) for index in range(len(data))]
    assert replies == [None] * (len(data) - 1) + [expected]


def test_body_without_a_length_ends_with_the_connection() -> None:
    parser = ReplyParser()
    assert parser.feed(b"HTTP/1.0 200 OK\r\n\r\nall") is None
    assert parser.feed(b"") == Reply(200, {}, b"all", keep_alive=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_incomplete_reply_is_an_error(data: bytes) -> None:
    parser = ReplyParser()
    if data:
        assert parser.feed(data) is None
    with pytest.raises(RuntimeApiError, match="cut short"):
        parser.feed(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"x" * (http1.MAX_HEAD_BYTES + 1),
    ],
)
def test_invalid_reply_is_an_error(data: bytes) -> None:
    with pytest.raises(RuntimeApiError):
        ReplyParser().feed(data)


def test_chunk_does_not_copy_its_data() -> None:
    large = bytes(1 << 20)
    assert http1.chunk(large) == [b"100000\r\n", large, b"\r\n"]
    assert http1.chunk(large)[1] is large


@pytest.mark.parametrize("empty", [b"", memoryview(b"")])
def test_empty_chunk_is_left_out_as_it_would_end_the_body(empty: bytes | memoryview) -> None:
    assert http1.chunk(empty) == []
