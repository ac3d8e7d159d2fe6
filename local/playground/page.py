"""Answers a browser with the page, its modules, its settings and the last requests.

Only programs and pages of this machine get them, whatever key the stack has.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from local.http.refusals import RefusedError
from local.http.requests import HttpRequest
from local.http.sites import check_site
from local.limits import EVENT_STREAM_HEARTBEAT_S
from local.playground.files import PREFIX, protection, read_page_file
from local.playground.recent_requests import RecentRequests
from local.playground.settings import REQUESTS_PATH, PageSettings
from local.project.environment import is_loopback

SETTINGS_FILE = "settings.json"
_JSON = "application/json"
_REMEDY = "call the service from a program"
_BY_BROWSERS = (
    "/favicon.ico",
    "/apple-touch-icon.png",
    "/apple-touch-icon-precomposed.png",
    "/.well-known/appspecific/com.chrome.devtools.json",
)
"""What browsers look for by themselves. The console need not say how to sign such a request."""
_NOT_LOCAL = "The playground is for this machine. Open it there, at http://127.0.0.1:PORT/."


class Playground:
    """The page of one service. Without `recent` there are no last requests to show."""

    def __init__(self, settings: PageSettings, recent: RecentRequests | None = None) -> None:
        self._settings = settings
        self._recent = recent
        self._headers = protection((settings.http_url, settings.websocket_url))

    async def answer(
        self, request: web.BaseRequest, received: HttpRequest
    ) -> web.StreamResponse | None:
        """Answer a request to the page; None for any other request. Raises RefusedError."""
        name = asked_for(received)
        if name is None:
            return None
        if not is_loopback(received.source_ip):
            raise RefusedError(_NOT_LOCAL)
        check_site(received, _REMEDY)
        if name == REQUESTS_PATH and self._recent is not None:
            return await self._stream(request, self._recent)
        if name == SETTINGS_FILE:
            return self._response(json.dumps(self._settings.document()).encode(), _JSON)
        found = read_page_file(name)
        if found is None:
            return self._response(b'{"Message": "Unknown path."}', _JSON, HTTPStatus.NOT_FOUND)
        return self._response(*found)

    def _response(
        self, body: bytes, content_type: str, status: int = HTTPStatus.OK
    ) -> web.Response:
        headers = {**self._headers, "Content-Type": content_type}
        return web.Response(body=body, status=status, headers=headers)

    async def _stream(self, request: web.BaseRequest, recent: RecentRequests) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**self._headers, "Content-Type": "text/event-stream"}
        )
        with contextlib.suppress(ConnectionError):  # the page was closed
            await response.prepare(request)
            await response.write(b"retry: 1000\nevent: start\ndata: {}\n\n")
            async for row in recent.follow(EVENT_STREAM_HEARTBEAT_S):
                await response.write(_event(row))
        return response


def asked_for(request: HttpRequest) -> str | None:
    """Return the name of a file of the page, "" for the page itself, or REQUESTS_PATH.

    The name may be of no file: what browsers look for by themselves is missing.

    None for a request that is the function's. A page of another site that came through this port
    as a proxy would count as this machine's.
    """
    if opens_page(request):
        return ""
    path = request.raw_path
    is_ours = path.startswith(PREFIX) or path == REQUESTS_PATH
    is_unasked = path in _BY_BROWSERS and not _has_key(request)
    if request.method != "GET" or not (is_ours or is_unasked) or request.is_proxied:
        return None
    return path.removeprefix(PREFIX)


def opens_page(request: HttpRequest) -> bool:
    """Return whether a browser navigates to `GET /`. All other requests are the function's.

    A browser names text/html; curl accepts anything, and SDKs JSON. A page's own fetch has another
    Sec-Fetch-Dest. A signature, a key or a query shows a client of the service.
    """
    is_root = (request.method, request.raw_path, request.raw_query) == ("GET", "/", "")
    accepts_html = "text/html" in request.header("accept").lower()
    is_document = request.header("sec-fetch-dest") in ("", "document")
    return (
        is_root and accepts_html and is_document and not (_has_key(request) or request.is_proxied)
    )


def _has_key(request: HttpRequest) -> bool:
    return any(request.header(name) for name in ("authorization", "api-key", "x-api-key"))


def _event(row: Mapping[str, object] | None) -> bytes:
    return b":\n\n" if row is None else f"data: {json.dumps(row)}\n\n".encode()
