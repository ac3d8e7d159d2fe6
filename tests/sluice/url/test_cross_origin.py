"""Pages of other origins: what a browser is told before it sends, and with every reply."""

from __future__ import annotations

import pytest

from sluice.errors import OriginNotAllowed
from sluice.url.cross_origin import cors_headers, preflight_headers
from tests.scripted_upstream import ScriptedUpstream, answer_stream, dies_after, refused_url
from tests.sluice.url.asking import Reply, ask

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
    headers: dict[str, str] = reply.metadata["headers"]
    own = ("access-control-", "vary")
    return {name: value for name, value in headers.items() if name.startswith(own)}


def ask_from(upstream_url: str, origin: str, allowed: str, **environ: str) -> Reply:
    message, headers = {"message": "Hello"}, {"origin": origin}
    return ask(
        upstream_url, query=message, headers=headers, CORS_ALLOW_ORIGINS=allowed, settings=environ
    )


@pytest.mark.parametrize(
    ("allowed", "origin", "told"),
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
def test_reply_tells_a_browser_who_may_read_it(
    allowed: tuple[str, ...], origin: str, told: dict[str, str]
) -> None:
    assert cors_headers({"origin": origin}, allowed) == told


@pytest.mark.parametrize(("allowed", "told"), [((), {}), ((PAGE,), VARIES), (("*",), {})])
def test_reply_to_what_is_no_page_tells_caches_at_the_most(
    allowed: tuple[str, ...], told: dict[str, str]
) -> None:
    assert cors_headers({}, allowed) == told


def test_permission_names_what_the_page_will_send() -> None:
    told = preflight_headers(PREFLIGHT, (PAGE,))
    assert told.items() >= OF_REPLIES.items()
    assert (
        told["access-control-allow-headers"] == "authorization,content-type,x-stainless-lang"
    )  # a * would not cover Authorization
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        assert method in told["access-control-allow-methods"]
    assert int(told["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in told


@pytest.mark.parametrize("allowed", [(), (OTHER,)])
def test_page_that_is_not_allowed_gets_no_permission(allowed: tuple[str, ...]) -> None:
    with pytest.raises(OriginNotAllowed, match="CORS_ALLOW_ORIGINS"):
        preflight_headers(PREFLIGHT, allowed)


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/chat/completions", "/v1/files/f-1"])
def test_preflight_needs_no_key_and_asks_nobody(upstream: ScriptedUpstream, path: str) -> None:
    reply = ask(
        upstream.url,
        "OPTIONS",
        path,
        headers=PREFLIGHT,
        FUNCTION_URL_AUTH="none",
        FORWARD_KEY="fk-1",
        CORS_ALLOW_ORIGINS=PAGE,
    )
    assert reply.metadata["statusCode"] == 200
    assert cors(reply).items() >= OF_REPLIES.items()
    assert upstream.requests == []


def test_preflight_of_another_page_is_403_and_says_how_to_allow_it(
    upstream: ScriptedUpstream,
) -> None:
    reply = ask(upstream.url, "OPTIONS", "/v1/models", headers=PREFLIGHT, CORS_ALLOW_ORIGINS=OTHER)
    assert (reply.metadata["statusCode"], reply.error["code"]) == (403, "origin_not_allowed")
    assert cors(reply) == VARIES
    assert upstream.requests == []


def test_options_that_is_no_preflight_is_the_providers_and_needs_a_key(
    upstream: ScriptedUpstream,
) -> None:
    locked = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-1", "CORS_ALLOW_ORIGINS": PAGE}
    assert ask(upstream.url, "OPTIONS", "/v1/models", settings=locked).metadata["statusCode"] == 401
    headers = {"authorization": "Bearer fk-1"}
    ask(upstream.url, "OPTIONS", "/v1/models", headers=headers, settings=locked)
    assert [asked.method for asked in upstream.requests] == ["OPTIONS"]


def test_answer_and_its_headers_may_be_read_by_the_page(upstream: ScriptedUpstream) -> None:
    reply = ask_from(upstream.url, PAGE, PAGE)
    assert (cors(reply), reply.body) == (OF_REPLIES, answer_stream(["Hel", "lo"]))


def test_providers_own_permission_gives_way_to_the_gateways(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    assert cors(ask_from(upstream.url, PAGE, PAGE)) == OF_REPLIES
    assert cors(ask_from(upstream.url, OTHER, PAGE)) == VARIES


@pytest.mark.parametrize(
    ("path", "environ", "status"),
    [
        ("/v1/models", {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-1"}, 401),
        ("/nowhere", {}, 404),
        ("/v1/models", {}, 502),
    ],
)
def test_error_may_be_read_by_the_page(path: str, environ: dict[str, str], status: int) -> None:
    reply = ask(
        refused_url(),
        path=path,
        headers={"origin": PAGE},
        CORS_ALLOW_ORIGINS=PAGE,
        settings=environ,
    )
    assert (reply.metadata["statusCode"], cors(reply)) == (status, OF_REPLIES)


def test_upstreams_error_may_be_read_by_the_page(upstream: ScriptedUpstream) -> None:
    upstream.script = dies_after(b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")
    reply = ask_from(upstream.url, PAGE, PAGE)
    assert (reply.metadata["statusCode"], cors(reply)) == (400, OF_REPLIES)


def test_nothing_is_said_where_no_origin_is_set(upstream: ScriptedUpstream) -> None:
    assert cors(ask_from(upstream.url, PAGE, "")) == {}
