"""Pages of other origins: preflights, and the headers of every reply."""

from __future__ import annotations

import pytest

from sluice.errors import OriginNotAllowed
from sluice.url.cross_origin import cors_headers, preflight_headers
from tests.scripted_upstream import refused_url, replies
from tests.sluice.url.asking import LOCK, Reply, UrlBench

PAGE = "https://app.example"
OTHER = "https://other.example"
VARIES = {"vary": "origin"}
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}
OF_REPLIES = {
    "access-control-allow-origin": PAGE,
    "access-control-expose-headers": "*",
    "vary": "origin",
}


def cors(reply: Reply) -> dict[str, str]:
    own = ("access-control-", "vary")
    return {name: value for name, value in reply.headers.items() if name.startswith(own)}


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ((PAGE,), PAGE, OF_REPLIES),
        ((OTHER, PAGE), PAGE, OF_REPLIES),
        (("null",), "null", {**OF_REPLIES, "access-control-allow-origin": "null"}),
        (
            ("*",),
            PAGE,
            {"access-control-allow-origin": "*", "access-control-expose-headers": "*"},
        ),
        ((PAGE,), OTHER, VARIES),
        ((PAGE,), f"{PAGE}.evil.example", VARIES),
        ((PAGE,), f"{PAGE}:8443", VARIES),
        ((PAGE,), "http://app.example", VARIES),
        ((PAGE,), "null", VARIES),
        ((), PAGE, {}),
        ((), "null", {}),
    ],
    ids=str,
)
def test_reply_says_which_pages_may_read_it(
    allowed: tuple[str, ...], origin: str, expected: dict[str, str]
) -> None:
    assert cors_headers({"origin": origin}, allowed) == expected


@pytest.mark.parametrize(("allowed", "expected"), [((), {}), ((PAGE,), VARIES), (("*",), {})])
def test_reply_to_other_clients_only_says_that_it_varies(
    allowed: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert cors_headers({}, allowed) == expected


def test_preflight_allows_what_the_page_will_send() -> None:
    headers = preflight_headers(PREFLIGHT, (PAGE,))
    assert headers.items() >= OF_REPLIES.items()
    named = PREFLIGHT["access-control-request-headers"]
    assert headers["access-control-allow-headers"] == named  # a * would not cover Authorization
    methods = set(headers["access-control-allow-methods"].split(", "))
    assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}
    assert int(headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("named", ["x-\udcff", "x-a\r\nx-b: 1"])
def test_preflight_does_not_repeat_an_invalid_header_name(named: str) -> None:
    headers = {**PREFLIGHT, "access-control-request-headers": named}
    assert preflight_headers(headers, ("*",))["access-control-allow-headers"] == "*"


@pytest.mark.parametrize("allowed", [(), (OTHER,)])
def test_preflight_of_another_page_is_rejected(allowed: tuple[str, ...]) -> None:
    with pytest.raises(OriginNotAllowed, match="CORS_ALLOW_ORIGINS"):
        preflight_headers(PREFLIGHT, allowed)


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/chat/completions", "/v1/files/f-1"])
def test_preflight_needs_no_key(bench: UrlBench, path: str) -> None:
    reply = bench.ask("OPTIONS", path, headers=PREFLIGHT, settings=LOCK, CORS_ALLOW_ORIGINS=PAGE)
    assert reply.status == 200
    assert cors(reply).items() >= OF_REPLIES.items()
    assert bench.targets == []


def test_preflight_of_another_page_is_403(bench: UrlBench) -> None:
    reply = bench.ask("OPTIONS", "/v1/models", headers=PREFLIGHT, CORS_ALLOW_ORIGINS=OTHER)
    assert (reply.refusal, cors(reply)) == ((403, "origin_not_allowed"), VARIES)
    assert bench.targets == []


def test_other_options_requests_pass_through_and_need_a_key(bench: UrlBench) -> None:
    assert bench.ask("OPTIONS", "/v1/models", settings=LOCK).status == 401
    headers = {"authorization": f"Bearer {LOCK['FORWARD_KEY']}"}
    bench.ask("OPTIONS", "/v1/models", headers=headers, settings=LOCK)
    assert [asked.method for asked in bench.upstream.requests] == ["OPTIONS"]


def test_gateways_permission_replaces_the_providers(bench: UrlBench) -> None:
    bench.upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    for origin, allowed, expected in (
        (PAGE, PAGE, OF_REPLIES),
        (OTHER, PAGE, VARIES),
        (PAGE, "", {}),
    ):
        reply = bench.hello(headers={"origin": origin}, CORS_ALLOW_ORIGINS=allowed)
        assert (cors(reply), reply.body) == (expected, b"{}")


@pytest.mark.parametrize(
    ("path", "settings", "status"),
    [
        ("/v1/models", LOCK, 401),
        ("/nowhere", {}, 404),
        ("/v1/models", {"OPENAI_BASE_URL": refused_url()}, 502),
        ("/v1/models", {}, 400),
    ],
)
def test_error_may_be_read_by_the_page(
    bench: UrlBench, path: str, settings: dict[str, str], status: int
) -> None:
    bench.upstream.script = replies(400, {})
    headers = {"origin": PAGE}
    reply = bench.ask(path=path, headers=headers, settings=settings, CORS_ALLOW_ORIGINS=PAGE)
    assert (reply.status, cors(reply)) == (status, OF_REPLIES)
