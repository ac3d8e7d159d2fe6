"""Which requests get the page, over real sockets, and which stay the function's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from aiohttp.test_utils import make_mocked_request

from local.http.refusals import RefusedError
from local.http.requests import HttpRequest
from local.http.sigv4_verification import SignatureCheck
from local.playground.files import FOLDER
from local.playground.page import Playground, asked_for
from local.playground.recent_requests import RecentRequests
from local.playground.settings import PageSettings
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.runtime_api.scripted_invoker import prelude, streamed

OWN = SignatureCheck(Credentials("AKIDOWN", "hush"), "lambda", "us-east-1")
ANSWER = streamed(prelude(headers={"content-type": "text/plain"}), b"the function")
SETTINGS = PageSettings(
    title="test",
    http_url="http://127.0.0.1:1",
    websocket_url="ws://[::1]:2",
    url_auth="key",
    websocket_auth="none",
    region="us-east-1",
    model="m",
    requests="/_local/requests",
)
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
BROWSER = {"accept": HTML, "sec_fetch_dest": "document", "sec_fetch_site": "none"}
NEVER = ("base-uri", "form-action", "frame-ancestors")
OTHER_FILES = ("../scripts/osls-plugin.mjs", "..%2fscripts/osls-plugin.mjs", "../docs/flow.svg")
EVENTS = "/_local/requests"
LINE = json.dumps({"request_id": "r", "transport": "url", "outcome": "ok", "model": "m"})


def playground() -> Playground:
    return Playground(SETTINGS, RecentRequests())


def request(method: str = "GET", target: str = "/", **headers: str) -> HttpRequest:
    path, _, query = target.partition("?")
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method, path, query, fields)


@pytest.mark.parametrize(
    ("asking", "name"),
    [
        (request(**BROWSER), ""),
        (request(accept="text/html"), ""),
        (request(target="/_local/playground/main.mjs"), "main.mjs"),
        (request(target=EVENTS), EVENTS),
        (request(target="/favicon.ico"), "/favicon.ico"),
        (request(target="/favicon.ico", api_key="local"), None),
        (request(accept="*/*"), None),
        (request(accept="application/json"), None),
        (request(), None),
        (request("HEAD", **BROWSER), None),
        (request("POST", **BROWSER), None),
        (request("POST", EVENTS), None),
        (request(target="/?message=Hello", **BROWSER), None),
        (request(target="/healthz", **BROWSER), None),
        (request(accept=HTML, sec_fetch_dest="empty"), None),
        (request(accept=HTML, sec_fetch_dest="iframe"), None),
        (request(accept=HTML, authorization="Bearer local"), None),
        (request(accept=HTML, x_api_key="local"), None),
    ],
)
def test_navigation_gets_the_page_and_every_other_client_the_function(
    asking: HttpRequest, name: str | None
) -> None:
    assert asked_for(asking) == name


async def test_page_and_its_files_forbid_what_they_do_not_need() -> None:
    async with serving(ANSWER, playground=playground()) as it:
        page = await it.ask("GET", "/", b"", **BROWSER)
        assert page.body == (FOLDER / "index.html").read_bytes()
        for file in sorted(FOLDER.iterdir()):
            answer = await it.ask("GET", f"/_local/playground/{file.name}")
            assert (answer.status, answer.body) == (200, file.read_bytes())
            assert answer.header("cache-control") == "no-store"
            assert answer.header("x-content-type-options") == "nosniff"
            policy = answer.header("content-security-policy").split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
            assert {f"{name} 'none'" for name in NEVER} <= set(policy)
            assert "connect-src 'self' http://127.0.0.1:1 ws:" in policy
        settings = (await it.ask("GET", "/_local/playground/settings.json")).json()
        assert (settings["httpUrl"], settings["urlAuth"]) == ("http://127.0.0.1:1", "key")
        assert (await it.ask("GET", "/", accept="*/*")).body == b"the function"


async def test_no_other_file_is_served() -> None:
    async with serving(ANSWER, playground=playground()) as it:
        for name in (*OTHER_FILES, "../README.md", "/etc/passwd", "no.mjs", ".", "a/main.mjs"):
            assert (await it.ask("GET", f"/_local/playground/{name}")).status == 404
        devtools = "/.well-known/appspecific/com.chrome.devtools.json"
        for path in (devtools, "/apple-touch-icon.png"):
            assert (await it.ask("GET", path)).status == 404
        assert it.lines == []
        assert it.invoker.events.empty()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"host": "evil.example"},
        {"referer": "https://evil.example/"},
    ],
)
async def test_other_sites_get_nothing_whatever_the_key(headers: dict[str, str]) -> None:
    async with serving(ANSWER, OWN, playground=playground()) as it:
        for path in ("/", EVENTS, "/_local/playground/settings.json"):
            answer = await it.ask("GET", path, b"", **{**BROWSER, **headers})
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers
        assert it.lines


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1"])
async def test_other_machines_get_nothing(address: str) -> None:
    for path in ("/", EVENTS, "/_local/playground/settings.json"):
        received = replace(request(target=path, **BROWSER), source_ip=address)
        with pytest.raises(RefusedError, match="for this machine"):
            await playground().answer(make_mocked_request("GET", path), received)


async def test_page_through_this_port_as_a_proxy_is_not_this_machines() -> None:
    async with serving(ANSWER, playground=playground()) as it:
        for path in ("/", EVENTS):
            answer = await it.ask("GET", f"http://evil.example{path}", b"", **BROWSER)
            assert answer.body == b"the function"


async def test_requests_stream_as_events() -> None:
    recent = RecentRequests(lambda: 1.0)
    recent.note(LINE)
    async with serving(ANSWER, playground=Playground(SETTINGS, recent)) as it:
        client = await it.client()
        client.writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        assert b"access-control" not in head.lower()
        await client.reader.readuntil(b"event: start\ndata: {}\n\n")
        for _ in range(2):
            data = await client.reader.readuntil(b"}\n\n")
            row = json.loads(data[data.index(b"{") :])
            assert row == {"time": 1.0, "transport": "url", "outcome": "ok", "model": "m"} | {
                "what": ""
            }
            recent.note(LINE)
        recent.close()
        await client.reader.readuntil(b"0\r\n\r\n")
