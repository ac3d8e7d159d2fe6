"""An HTTP request of a client as the emulators need it: as it came, undecoded, its body whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web

Headers = Sequence[tuple[str, str]]

# What a client sends that takes this port for its proxy; its user and password are not for us.
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#]*)", re.IGNORECASE)


class BodyTooLargeError(Exception):
    """The request's body, or the event made of it, exceeds the limit."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: path and query undecoded, header fields in order.

    Signatures and events are made from it. `is_proxied`: the client takes this port for its proxy.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Headers
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    source_ip: str = ""
    is_proxied: bool = False

    def header(self, name: str) -> str:
        """Return the first value of header `name` (lower case), or ""."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def header_values(self, name: str) -> list[str]:
        """Return every value of header `name` (lower case)."""
        return [value for key, value in self.headers if key.lower() == name]


def http_request(request: web.BaseRequest, body: bytes = b"") -> HttpRequest:
    """Return `request` as it came; `body` is what `read_body` returned."""
    path, query = request_target(request)
    return HttpRequest(
        method=request.method,
        raw_path=path,
        raw_query=query,
        headers=tuple(_headers(request)),
        body=body,
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        source_ip=request.remote or "",
        is_proxied=_ABSOLUTE.match(request.raw_path) is not None,
    )


def request_target(request: web.BaseRequest) -> tuple[str, str]:
    """Return the undecoded path and query, without a scheme and host."""
    absolute = _ABSOLUTE.match(request.raw_path)
    target = request.raw_path[absolute.end() :] if absolute else request.raw_path
    path, _, query = target.partition("?")
    return path.partition("#")[0] or "/", query.partition("#")[0]


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Return the body. Raises BodyTooLargeError above `limit` bytes, without reading the rest."""
    if (request.content_length or 0) > limit:
        raise BodyTooLargeError
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        if request.content.is_eof():  # a small body has arrived whole
            body += request.content.read_nowait()
        while piece := await request.content.readany():
            body += piece
            if len(body) > limit:
                raise BodyTooLargeError
    except web.RequestPayloadError as error:
        raise ConnectionResetError("the client disconnected inside its body") from error
    return bytes(body)


def forwarding_headers(request: web.BaseRequest, trace_id: str) -> tuple[tuple[str, str], ...]:
    """Return the header fields that AWS adds to those of the client."""
    port = request.host.rpartition(":")[2]
    return (
        ("X-Forwarded-For", request.remote or ""),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", port if port.isdecimal() else "80"),
        ("X-Amzn-Trace-Id", trace_id),
    )


def _headers(request: web.BaseRequest) -> Iterator[tuple[str, str]]:
    # RFC 9112 section 3.2.2: the host of an absolute target overrides the Host field.
    absolute = _ABSOLUTE.match(request.raw_path)
    for name, value in request.headers.items():
        yield name, absolute["host"] if absolute and name.lower() == "host" else value
