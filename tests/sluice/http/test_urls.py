"""URLs split as urllib.parse does, and encoded as `requests` does."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sluice.http.connection import origin_of
from sluice.http.http1 import request_head
from sluice.http.urls import UrlParts, normalized, percent_encoded, split_url

URLS = [
    "http://host", "https://host/", "https://HOST.Example:8443/v1/chat?a=b&c",
    "http://127.0.0.1:80/v1", "http://[::1]:8080/v1?x", "https://[2001:DB8::1]",
    "http://user:p%40ss@proxy:3128", "http://a@b@host/", "https://münchen.example/straße?ü",
    "https://host:/path", "https://host/a?b?c/d:e@f",
]  # fmt: skip
INVALID_URLS = [
    "", "host", "//host", "http:/host", "ftp://host", "http://", "http:///path", "http://:80",
    "http://user@", "http://host:port", "http://host:0", "http://host:65536", "http://ho st",
    "http://host/a b", "http://host/a\r\nb", "http://host#part", "http://host/#part",
    "http://[::1", "http://::1", "http://[::1]x", "http://[a]", "http://[127.0.0.1]",
    "http://host\\@other", "http://host\n", "http://%Z", "http://h%6Fst",
    "http://[fe80::1%25eth0]", "http://[fe80::1%eth0]:80/",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_parts_are_those_of_the_standard_library(url: str) -> None:
    parts, reference = split_url(url), urlsplit(url)
    userinfo = reference.netloc.rpartition("@")[0] if "@" in reference.netloc else None
    assert parts == UrlParts(
        reference.scheme,
        userinfo,
        reference.hostname or "",
        reference.port or {"http": 80, "https": 443}[reference.scheme],
        reference.path,
        reference.query,
    )


@pytest.mark.parametrize("url", INVALID_URLS)
def test_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"http|port"):
        split_url(url)


@given(st.text("htps:/@[]?#%.-0129aZé \\\r\n", max_size=30))
def test_accepted_url_has_the_host_that_urllib_finds(text: str) -> None:
    url = f"http://{text}"
    try:
        parts = split_url(url)
    except ValueError:
        return
    try:
        reference = urlsplit(url)
    except ValueError:  # brackets without an address: no client can connect to it
        assert ":" in parts.host
    else:
        assert (parts.host, parts.path) == (reference.hostname, reference.path)


BASE = "https://api.example.com:8443"
TARGETS = {
    "/v1/chat/completions": "/v1/chat/completions",
    "": "/",
    "?a=b": "/?a=b",
    "?a=b/c d": "/?a=b/c%20d",
    "/v1/a b": "/v1/a%20b",
    "/v1/a%20b": "/v1/a%20b",
    "/v1/%e2%82%ac": "/v1/%E2%82%AC",
    "/v1/€": "/v1/%E2%82%AC",
    "/v1/\udce2\udc82\udcac": "/v1/%E2%82%AC",
    "/v1/%41%7e%2D%5f%2e": "/v1/A~-_.",
    "/v1/%2F%3A%40": "/v1/%2F%3A%40",
    "/v1/a:b@c!$&'()*+,;=~": "/v1/a:b@c!$&'()*+,;=~",
    "/v1/%": "/v1/%25",
    "/v1/%4": "/v1/%254",
    "/v1/%zz%20": "/v1/%25zz%20",
    "/v1/%%41": "/v1/%25A",
    "/v1/%2541": "/v1/%2541",
    "/v1/a#b": "/v1/a%23b",
    '/v1/"<>[]\\^`{|}': "/v1/%22%3C%3E%5B%5D%5C%5E%60%7B%7C%7D",
    "/v1?q=a b&r=%c3%a9&s=é&t=/?:@": "/v1?q=a%20b&r=%C3%A9&s=%C3%A9&t=/?:@",
    "/v1?q=a+b%2B": "/v1?q=a+b%2B",
    "/v1\r\nX: y": "/v1%0D%0AX:%20y",
    "/v1 HTTP/1.1\r\n": "/v1%20HTTP/1.1%0D%0A",
    "?\r\nX: y": "/?%0D%0AX:%20y",
    "/\0\x7f\t": "/%00%7F%09",
    "//a//b": "//a//b",
}


@pytest.mark.parametrize(("given", "sent"), TARGETS.items())
def test_target_is_encoded_only_where_necessary(given: str, sent: str) -> None:
    assert normalized(BASE + given) == BASE + sent
    assert normalized(BASE + sent) == BASE + sent
    assert origin_of(normalized(BASE + given))[1] == sent


def test_scheme_and_host_do_not_change() -> None:
    for origin in ("http://[::1]:8080", "http://EXAMPLE.com", "https://bücher.de"):
        assert normalized(f"{origin}/a b") == f"{origin}/a%20b"


ENCODED = st.integers(0, 255).map("%{:02x}".format) | st.integers(0, 255).map("%{:02X}".format)
# `requests` drops fragments and dot segments, and rejects or encodes a lone percent sign.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="#%.\t\r\n")
TEXT = st.lists(ENCODED.filter(lambda e: e.lower() != "%2e") | CHARACTERS).map("".join)


@given(TEXT, TEXT)
def test_requests_sends_the_same(path: str, query: str) -> None:
    url = f"{BASE}/v1/{path}?q={query}"
    assert normalized(url) == requests.Request("GET", url).prepare().url


ESCAPED = st.integers(0xDC80, 0xDCFF).map(chr)  # a byte that was not UTF-8


@given(st.text(st.characters() | ESCAPED))
def test_any_text_becomes_one_target(text: str) -> None:
    for url in (f"{BASE}/{text}", f"{BASE}?{text}"):
        sent = normalized(url)
        assert normalized(sent) == sent
        origin, target = origin_of(sent)
        assert origin.host == "api.example.com"
        expected = sent.removeprefix(BASE)
        is_empty_query = expected.endswith("?") and expected.count("?") == 1
        assert target == (expected[:-1] if is_empty_query else expected)
        line, *_ = request_head("GET", target, "x", {}, b"").split(b"\r\n")
        assert line == b"GET %b HTTP/1.1" % target.encode()


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_percent_encoding_is_that_of_the_standard_library(text: str) -> None:
    assert percent_encoded(text) == quote(text, safe="")
    assert percent_encoded(text, "/") == quote(text)
