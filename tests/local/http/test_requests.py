"""Reading a client's request; its body is read in tests/local/function_url/test_server.py."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from local.http.requests import HttpRequest, forwarding_headers, http_request

OPENAI = "api.openai.com"


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        ("/a%20b?a=1&b=%2F", "/a%20b", "a=1&b=%2F", "h"),
        ("/a?b#c", "/a", "b", "h"),
        # Absolute targets: the client uses this port as its proxy.
        ("http://api.openai.com/v1/chat/completions", "/v1/chat/completions", "", OPENAI),
        ("http://api.openai.com:8080/p?a=1", "/p", "a=1", f"{OPENAI}:8080"),
        ("http://api.openai.com/a%20b/%2F", "/a%20b/%2F", "", OPENAI),
        ("http://api.openai.com", "/", "", OPENAI),
        ("http://api.openai.com?a=1", "/", "a=1", OPENAI),
        ("HTTP://user:word@api.openai.com/p", "/p", "", OPENAI),
        ("/redirect?to=http://api.openai.com/p", "/redirect", "to=http://api.openai.com/p", "h"),
    ],
)
def test_target_is_split_undecoded_and_its_host_overrides_the_field(
    target: str, path: str, query: str, host: str
) -> None:
    request = http_request(make_mocked_request("POST", target, {"Host": "h", "X-A": "1"}), b"body")
    headers = (("Host", host), ("X-A", "1"))
    is_proxied = host.startswith(OPENAI)
    assert request == HttpRequest("POST", path, query, headers, b"body", is_proxied=is_proxied)


@pytest.mark.parametrize(("host", "port"), [("h", "80"), ("h:8080", "8080"), ("[::1]:1", "1")])
def test_forwarding_headers_are_awss(host: str, port: str) -> None:
    assert forwarding_headers(make_mocked_request("GET", "/", {"Host": host}), "trace") == (
        ("X-Forwarded-For", ""),  # a mocked request has no connection
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", port),
        ("X-Amzn-Trace-Id", "trace"),
    )
