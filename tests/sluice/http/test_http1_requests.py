"""Requests of HTTP/1.1 as bytes, and parts that would change their meaning."""

from __future__ import annotations

import pytest

from sluice.http.http1 import request_head


def test_request_is_a_line_the_host_and_the_headers_as_they_are_named() -> None:
    headers = {"Accept": "*/*", "x-title": " Crème ", "x-raw": "\udcff"}
    assert request_head("GET", "/a?b=c", "example.com", headers, b"") == (
        b"GET /a?b=c HTTP/1.1\r\nhost: example.com\r\nAccept: */*\r\n"
        b"x-title: Cr\xc3\xa8me\r\nx-raw: \xff\r\n\r\n"
    )


def test_length_is_sent_where_there_may_be_a_body() -> None:
    for method in ("GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"):
        for body in (b"", b"{}"):
            head = request_head(method, "/", "example.com", {}, body)
            has_length = body or method in ("POST", "PUT", "PATCH")
            length = b"content-length: %d\r\n" % len(body) if has_length else b""
            assert head.endswith(b"host: example.com\r\n" + length + b"\r\n")


@pytest.mark.parametrize(
    "header",
    [
        ("x", "a\r\nInjected: b"), ("x", "a\nb"), ("x", "a\rb"), ("x", "a\0b"), ("x", "\ud800"),
        ("x: a\r\ny", "b"), ("x:y", "b"), ("content-length: 5", "b"), ("x y", "b"), (" x", "b"),
        ("", "b"), ("é", "b"), ("\udcff", "b"), ("Content-Length", "5"), ("content-length", "0"),
        ("Transfer-Encoding", "chunked"), ("Host", "other"),
    ],
)  # fmt: skip
def test_header_that_would_change_the_request_is_rejected(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sent|codec|colon"):
        request_head("POST", "/", "example.com", dict([header]), b"")


@pytest.mark.parametrize(
    ("method", "target", "host"),
    [
        ("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/", "example.com"),
        *((method, "/", "example.com") for method in ("GET /", "", "GÉT")),
        *(
            ("GET", f"/{end}", "example.com")
            for end in (" HTTP/1.1\r\nX: y", "a b", "a\tb", "\0", "é")
        ),
        ("GET", "", "example.com"),
        ("GET", "/", "example.com\r\nX: y"),
    ],
)
def test_request_line_that_would_be_another_is_rejected(
    method: str, target: str, host: str
) -> None:
    with pytest.raises(ValueError, match=r"sent|codec|colon"):
        request_head(method, target, host, {}, b"")
