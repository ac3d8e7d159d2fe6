"""URLs taken apart, judged by urllib.parse."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.http.url_parts import UrlParts, split_url

URLS = [
    "http://host",
    "https://host/",
    "https://HOST.Example:8443/v1/chat?a=b&c",
    "http://127.0.0.1:80/v1",
    "http://[::1]:8080/v1?x",
    "https://[2001:DB8::1]",
    "http://user:p%40ss@proxy:3128",
    "http://a@b@host/",
    "https://münchen.example/straße?ü",
    "https://host:/path",
    "https://host/a?b?c/d:e@f",
]
NO_URLS = [
    "",
    "host",
    "//host",
    "http:/host",
    "ftp://host",
    "http://",
    "http:///path",
    "http://:80",
    "http://user@",
    "http://host:port",
    "http://host:0",
    "http://host:65536",
    "http://ho st",
    "http://host/a b",
    "http://host/a\r\nb",
    "http://host#part",
    "http://host/#part",
    "http://[::1",
    "http://::1",
    "http://[::1]x",
    "http://[a]",
    "http://[127.0.0.1]",
    "http://host\\@other",
    "http://host\n",
    "http://%Z",
    "http://h%6Fst",
    "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]:80/",
]


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


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is n"):
        split_url(url)


@given(st.text("htps:/@[]?#%.-0129aZé \\\r\n", max_size=30))
def test_whatever_is_taken_has_the_host_that_others_find_in_it(text: str) -> None:
    url = f"http://{text}"
    try:
        parts = split_url(url)
    except ValueError:
        return
    try:
        reference = urlsplit(url)
    except ValueError:  # of brackets around what is no address: nobody can connect to it
        assert ":" in parts.host
    else:
        assert (parts.host, parts.path) == (reference.hostname, reference.path)
