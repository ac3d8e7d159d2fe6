"""The bytes of a Function URL's response, by request and head."""

from __future__ import annotations

import pytest

from local.function_url.response import RequestFacts, ResponseFraming
from local.http.prelude import HttpHead

TEXT = ("content-type", "text/plain")
GET = RequestFacts("GET", (1, 1), keep_alive=True)
OLD = RequestFacts("GET", (1, 0), keep_alive=False)
OLD_KEPT = RequestFacts("GET", (1, 0), keep_alive=True)
NOW = 100.5
HEAD = RequestFacts("HEAD", (1, 1), keep_alive=True)


def lines(framing: ResponseFraming) -> list[str]:
    """Return the head's lines without the date."""
    *head, end, rest = framing.start(NOW).decode().split("\r\n")
    assert (end, rest) == ("", "")
    return [line for line in head if not line.startswith("Date: ")]


def test_head_is_that_of_the_answer_with_a_date() -> None:
    head = HttpHead(201, (("X-Mine", "ä"), TEXT), ("a=1", "b=2"))
    start = ResponseFraming(GET, head).start(NOW).decode()
    assert start.startswith("HTTP/1.1 201 Created\r\nX-Mine: ä\r\ncontent-type: text/plain\r\n")
    assert "\r\nDate: Thu, 01 Jan 1970 00:01:40 GMT\r\n" in start
    assert start.endswith(
        "GMT\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
    )


def test_date_and_type_of_the_answer_are_kept() -> None:
    framing = ResponseFraming(GET, HttpHead(299, (("DATE", "d"), ("Content-Type", "t"))))
    assert framing.start(NOW) == (
        b"HTTP/1.1 299 \r\nDATE: d\r\nContent-Type: t\r\nTransfer-Encoding: chunked\r\n\r\n"
    )


def test_answer_that_names_no_type_is_octets() -> None:
    assert "Content-Type: application/octet-stream" in lines(ResponseFraming(GET, HttpHead()))
    empty = ResponseFraming(GET, HttpHead(200, (("content-length", "0"),)))
    assert lines(empty) == ["HTTP/1.1 200 OK", "Content-Length: 0"]


@pytest.mark.parametrize(
    ("facts", "head", "expected", "keeps"),
    [
        (GET, HttpHead(200, (TEXT,)), ["Transfer-Encoding: chunked"], True),
        (
            RequestFacts("GET", (1, 1), keep_alive=False),
            HttpHead(200, (TEXT,)),
            ["Transfer-Encoding: chunked", "Connection: close"],
            False,
        ),
        (GET, HttpHead(200, (TEXT, ("Content-Length", "4"))), ["Content-Length: 4"], True),
        (
            GET,
            HttpHead(200, (TEXT, ("content-length", "4"), ("content-length", "4"))),
            ["Content-Length: 4"],
            True,
        ),
        (GET, HttpHead(200, (TEXT, ("content-length", "x"))), ["Transfer-Encoding: chunked"], True),
        (OLD, HttpHead(200, (TEXT,)), ["Connection: close"], False),
        (OLD_KEPT, HttpHead(200, (TEXT,)), ["Connection: close"], False),
        (
            OLD_KEPT,
            HttpHead(200, (TEXT, ("content-length", "4"))),
            ["Content-Length: 4", "Connection: keep-alive"],
            True,
        ),
        (HEAD, HttpHead(200, (TEXT,)), [], True),
        (HEAD, HttpHead(200, (TEXT, ("content-length", "4"))), ["Content-Length: 4"], True),
        (GET, HttpHead(304, (TEXT, ("content-length", "4"))), ["Content-Length: 4"], True),
        (GET, HttpHead(204, (TEXT, ("content-length", "4"))), [], True),
        (GET, HttpHead(103, (TEXT, ("content-length", "4"))), [], True),
        (
            GET,
            HttpHead(200, (TEXT, ("Connection", "close"), ("Transfer-Encoding", "gzip"))),
            ["Transfer-Encoding: chunked"],
            True,
        ),
    ],
)
def test_fields_of_the_connection_are_ours(
    facts: RequestFacts, head: HttpHead, expected: list[str], *, keeps: bool
) -> None:
    framing = ResponseFraming(facts, head)
    _, content_type, *ours = lines(framing)
    assert (content_type, ours) == ("content-type: text/plain", expected)
    assert framing.keep_alive is keeps


def test_body_of_no_stated_length_goes_in_chunks() -> None:
    framing = ResponseFraming(GET, HttpHead())
    assert framing.piece(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert framing.end() == b"0\r\n\r\n"
    assert framing.missing == 0


def test_body_for_an_old_client_goes_as_it_is() -> None:
    framing = ResponseFraming(OLD, HttpHead())
    assert (framing.piece(b"body"), framing.end()) == (b"body", b"")


def test_body_of_a_stated_length_is_cut_at_it() -> None:
    framing = ResponseFraming(GET, HttpHead(200, (("content-length", "5"),)))
    assert (framing.piece(b"four"), framing.missing) == (b"four", 1)
    assert (framing.piece(b"more"), framing.missing) == (b"m", 0)
    assert (framing.piece(b"more"), framing.end()) == (b"", b"")


@pytest.mark.parametrize(
    ("facts", "status"), [(HEAD, 200), (GET, 204), (GET, 304), (GET, 103), (OLD, 304)]
)
def test_response_without_a_body_has_none(facts: RequestFacts, status: int) -> None:
    framing = ResponseFraming(facts, HttpHead(status, (("content-length", "5"),)))
    assert (framing.piece(b"body"), framing.end(), framing.missing) == (b"", b"", 0)


def test_added_fields_follow_those_of_the_answer() -> None:
    framing = ResponseFraming(GET, HttpHead(200, (TEXT,)), (("x-request", "1"),))
    assert lines(framing)[1:3] == ["content-type: text/plain", "x-request: 1"]
