"""Which hosts and origins are this machine's, and which requests a foreign page may have sent."""

from __future__ import annotations

import pytest

from local.http.refusals import RefusedError
from local.http.requests import HttpRequest
from local.http.sites import check_site, is_own_host, is_own_origin

HOSTS = {
    "localhost": True,
    "LocalHost.:3000": True,
    "app.localhost:80": True,
    "127.0.0.1:3000": True,
    "127.8.9.1": True,
    "[::1]:3000": True,
    "0.0.0.0:3000": False,
    "192.168.1.7:3000": False,
    "attacker.example:3000": False,
    "localhost.attacker.example": False,
    "127.0.0.1.nip.io": False,
    "localhost@attacker.example": False,
    "attacker.example/localhost": False,
    "[::1": False,
    "localhost:x": False,
    "": False,
}
ORIGINS = {
    **{f"http://{host}": own for host, own in HOSTS.items()},
    "https://localhost": True,
    "tauri://localhost": True,
    "http://localhost:5173, https://evil.example": False,
    "http://localhost/": False,
    "//localhost": False,
    "null": False,
    "file://": False,
    "": False,
}
BROWSER = "Mozilla/5.0"
PRESIGNED = "message=Hi&X-Amz-Signature=0"


def test_own_hosts_and_origins_are_names_of_loopback() -> None:
    assert {host: is_own_host(host) for host in HOSTS} == HOSTS
    assert {origin: is_own_origin(origin) for origin in ORIGINS} == ORIGINS


def request(query: str = "", *, is_proxied: bool = False, **headers: str) -> HttpRequest:
    fields = {"host": "127.0.0.1:3000"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return HttpRequest("GET", "/", query, tuple(fields.items()), is_proxied=is_proxied)


@pytest.mark.parametrize(
    ("refused", "names"),
    [
        (request(host="attacker.example:3000"), "attacker.example:3000"),
        (request(host="sk-hush\x1b[2J"), "not a valid name"),
        (request(host="0.0.0.0:3000"), "0.0.0.0:3000"),
        (request(host="attacker.example", origin="http://attacker.example"), "attacker.example"),
        (request(origin="https://evil.example", sec_fetch_site="same-site"), "evil.example"),
        (request(origin="https://evil.example/?sk-hush"), "not a valid name"),
        (request(origin="null"), "http.server"),
        (request(origin="file://", sec_fetch_site="none"), "http.server"),
        (request(sec_fetch_site="cross-site"), "Sec-Fetch-Site"),
        (request(sec_fetch_site="Cross-Site"), "Sec-Fetch-Site"),
        (request(referer="https://evil.example/page?sk-hush"), "https://evil.example."),
        (request(PRESIGNED, user_agent=BROWSER), "does not say which page"),
        (request(PRESIGNED.replace("-", "%2d"), user_agent=BROWSER), "does not say which page"),
    ],
)
def test_page_of_another_site_is_refused_by_name(refused: HttpRequest, names: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_site(refused, "set FORWARD_KEY")
    assert names in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "accepted",
    [
        request(),
        request(host="api.openai.com", is_proxied=True),
        request(origin="http://localhost:5173", sec_fetch_site="cross-site"),
        request(sec_fetch_site="none", user_agent=BROWSER),
        request(PRESIGNED, sec_fetch_site="same-origin", user_agent=BROWSER),
        request(PRESIGNED, referer="http://localhost:3000/", user_agent=BROWSER),
        request(PRESIGNED, user_agent="curl/8.5.0"),
        request(user_agent=BROWSER),
    ],
)
def test_program_or_page_of_this_machine_passes(accepted: HttpRequest) -> None:
    check_site(accepted, "")


def test_repeated_header_counts_each_time() -> None:
    for name, values in (
        ("Origin", ("http://localhost:5173", "https://evil.example")),
        ("Host", ("localhost", "evil.example")),
        ("Sec-Fetch-Site", ("same-origin", "evil")),
    ):
        fields = tuple((name, value) for value in values)
        with pytest.raises(RefusedError, match=r"evil|Sec-Fetch-Site"):
            check_site(HttpRequest("GET", "/", "", fields), "")
