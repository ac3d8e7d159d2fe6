"""The Runtime API's requests, at every split of their bytes."""

from __future__ import annotations

import base64
import json

import pytest

from local.errors import FunctionFailure
from local.runtime_requests import (
    BodyEnd,
    BodyPiece,
    Call,
    ConnectionEnd,
    RequestEvent,
    RequestHead,
    RequestReader,
    TruncatedRequestError,
    posted_failure,
    trailer_failure,
)

STREAM = (
    b"POST /2018-06-01/runtime/invocation/8476%2Fa/response HTTP/1.1\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"Host: 127.0.0.1:19001\r\n"
    b"\r\n"
    b"5\r\nhello\r\n"
    b"6\r\n world\r\n"
    b"0\r\n"
    b"Lambda-Runtime-Function-Error-Type: Boom\r\n"
    b"\r\n"
)


def together(events: list[RequestEvent]) -> tuple[RequestEvent, bytes, RequestEvent]:
    head, *pieces, end = events
    assert all(isinstance(piece, BodyPiece) for piece in pieces)
    body = b"".join(bytes(piece.data) for piece in pieces if isinstance(piece, BodyPiece))
    return head, body, end


@pytest.mark.parametrize("at", range(len(STREAM)))
def test_stream_is_read_at_every_split(at: int) -> None:
    reader = RequestReader()
    events = [*(reader.receive(STREAM[:at]) if at else []), *reader.receive(STREAM[at:])]
    head, body, end = together(events)
    assert isinstance(head, RequestHead)
    assert (head.call, head.request_id) == (Call.RESPONSE, "8476/a")
    assert head.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert body == b"hello world"
    assert end == BodyEnd({"lambda-runtime-function-error-type": "Boom"})


def test_chunks_read_at_once_are_one_piece() -> None:
    events = RequestReader().receive(STREAM)
    assert len(events) == 3


@pytest.mark.parametrize("at", range(1, len(STREAM)))
def test_connection_that_ends_inside_a_request_is_an_error(at: int) -> None:
    reader = RequestReader()
    reader.receive(STREAM[:at])
    with pytest.raises(TruncatedRequestError):
        reader.receive(b"")


def test_connection_may_end_between_requests() -> None:
    assert RequestReader().receive(b"") == [ConnectionEnd()]


def test_what_is_not_http_is_an_error() -> None:
    with pytest.raises(TruncatedRequestError):
        RequestReader().receive(b"hello\r\n\r\n")


def test_connection_carries_requests_in_turn() -> None:
    request = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"
    reader = RequestReader()
    first = reader.receive(request)
    assert isinstance(first[0], RequestHead)
    assert reader.reply(200, [("a", "b")], b"x") == (
        b"HTTP/1.1 200 \r\na: b\r\ncontent-length: 1\r\n\r\nx"
    )
    assert reader.next_request() == []
    assert isinstance(reader.receive(request)[0], RequestHead)


def test_connection_ends_where_the_runtime_asks_for_it() -> None:
    reader = RequestReader()
    reader.receive(
        b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    assert b"connection: close" in reader.reply(200, [], b"").lower()
    assert reader.next_request() == [ConnectionEnd()]


@pytest.mark.parametrize(
    ("line", "call", "request_id"),
    [
        ("GET /2018-06-01/runtime/invocation/next", Call.NEXT, ""),
        ("POST /2018-06-01/runtime/init/error", Call.INIT_ERROR, ""),
        ("POST /2018-06-01/runtime/invocation/a/error", Call.ERROR, "a"),
        ("POST /2018-06-01/runtime/invocation/a/response?x=y", Call.RESPONSE, "a"),
        ("POST /2018-06-01/runtime/invocation/a/other", Call.UNKNOWN, ""),
        ("POST /2018-06-01/runtime/invocation/next", Call.UNKNOWN, ""),
        ("GET /2018-06-01/runtime/restore/next", Call.UNKNOWN, ""),
        ("PUT /2018-06-01/runtime/init/error", Call.UNKNOWN, ""),
        ("POST /", Call.UNKNOWN, ""),
    ],
)
def test_call_is_told_by_method_and_path(line: str, call: Call, request_id: str) -> None:
    head = RequestReader().receive(f"{line} HTTP/1.1\r\nHost: h\r\n\r\n".encode())[0]
    assert isinstance(head, RequestHead)
    assert (head.call, head.request_id) == (call, request_id)


def test_trailers_may_hold_a_whole_stack_trace() -> None:
    told = {"errorType": "E", "errorMessage": "m", "trace": ["line"] * 50_000}
    body = base64.b64encode(json.dumps(told).encode())
    reader = RequestReader()
    events = reader.receive(STREAM.replace(b"Error-Type: Boom", b"Error-Body: " + body))
    end = events[-1]
    assert isinstance(end, BodyEnd)
    assert trailer_failure(end.trailers) == FunctionFailure("E", "m")


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b'{"errorType": "E", "errorMessage": "m"}', FunctionFailure("E", "m")),
        ({"lambda-runtime-function-error-type": "H"}, b"", FunctionFailure("H", "")),
        ({}, b"[]", FunctionFailure("Function.Unknown", "")),
    ],
)
def test_posted_failure_is_told(
    headers: dict[str, str], body: bytes, expected: FunctionFailure
) -> None:
    assert posted_failure(headers, body) == expected


@pytest.mark.parametrize(
    ("error_type", "body", "expected"),
    [
        ("", "", None),
        ("E", "", FunctionFailure("E", "")),
        ("E", "%%%", FunctionFailure("E", "")),
    ],
)
def test_trailer_failure_is_told(
    error_type: str, body: str, expected: FunctionFailure | None
) -> None:
    trailers = {
        "lambda-runtime-function-error-type": error_type,
        "lambda-runtime-function-error-body": body,
    }
    assert trailer_failure(trailers) == expected
