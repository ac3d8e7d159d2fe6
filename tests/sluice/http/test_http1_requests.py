"""Requests of HTTP/1.1 as bytes: what goes out, and what would be read as something else."""

from __future__ import annotations

import pytest

from sluice.http.http1 import request_head


def test_request_is_a_line_the_host_and_the_headers_as_they_are_named() -> None:
    headers = {"Accept": "*/*", "x-title": " Crème ", "x-raw": "\udcff"}
    assert request_head("GET", "/a?b=c", "example.com", headers, b"") == (
        b"GET /a?b=c HTTP/1.1\r\nhost: example.com\r\nAccept: */*\r\n"
        b"x-title: Cr\xc3\xa8me\r\nx-raw: \xff\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", None),
        ("HEAD", b"", None),
        ("DELETE", b"", None),
        ("POST", b"", 0),
        ("PUT", b"", 0),
        ("PATCH", b"", 0),
        ("GET", b"{}", 2),
        ("DELETE", b"{}", 2),
        ("POST", b"{}", 2),
    ],
)
def test_length_is_told_where_there_may_be_a_body(
    method: str, body: bytes, length: int | None
) -> None:
    head = request_head(method, "/", "example.com", {}, body)
    told = b"" if length is None else b"content-length: %d\r\n" % length
    assert head.endswith(b"host: example.com\r\n" + told + b"\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nInjected: b"},
        {"x": "a\nb"},
        {"x": "a\rb"},
        {"x": "a\0b"},
        {"x: a\r\ny": "b"},
        {"x:y": "b"},
        {"content-length: 5": "b"},
        {"x y": "b"},
        {" x": "b"},
        {"": "b"},
        {"é": "b"},
        {"x": "\ud800"},
        {"\udcff": "b"},
        {"Content-Length": "5"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Host": "other"},
    ],
)
def test_header_that_would_be_another_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sent|codec|colon"):
        request_head("POST", "/", "example.com", headers, b"")


@pytest.mark.parametrize(
    ("method", "target", "host"),
    [
        ("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/", "example.com"),
        ("GET /", "/", "example.com"),
        ("", "/", "example.com"),
        ("GÉT", "/", "example.com"),
        ("GET", "/ HTTP/1.1\r\nX: y", "example.com"),
        ("GET", "/a b", "example.com"),
        ("GET", "/a\tb", "example.com"),
        ("GET", "/\0", "example.com"),
        ("GET", "/é", "example.com"),
        ("GET", "", "example.com"),
        ("GET", "/", "example.com\r\nX: y"),
    ],
)
def test_request_line_that_would_be_another_is_refused(method: str, target: str, host: str) -> None:
    with pytest.raises(ValueError, match=r"sent|codec|colon"):
        request_head(method, target, host, {}, b"")
