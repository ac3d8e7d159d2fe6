"""The Function URL: HTTP in, one invocation each, the answer relayed live.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping

from aiohttp import web

from local.function_url.answer import UrlAnswer
from local.function_url.event import UrlRequest, url_event
from local.function_url.turns import Turns
from local.http.sigv4_verification import (
    MissingSignatureError,
    SignatureCheck,
    SignatureRefusedError,
    SignedRequest,
)
from local.invocation import Invoker, new_id, new_trace_id
from local.limits import MAX_REQUEST_BYTES

HEALTH_PATH = "/_local/health"
_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_TRACE_ROOT = re.compile(r"Root=[-0-9A-Za-z]+")
# What a client sends that takes this port for its proxy; a user and password are not for us.
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#]*)", re.IGNORECASE)
_NO_TUNNEL = (
    "CONNECT is not served: here ends no tunnel, because what goes through one cannot be read. "
    "Ask for http:// URLs (then http_proxy is used), or give the client this service's own URL "
    "as its base URL: http://{host}:{port}/v1"
)


class BodyTooLargeError(Exception):
    """The request's body, or the event made of it, is longer than Lambda takes."""


class FunctionUrl:
    """The handler of the HTTP port.

    `pool` runs the function behind the URL, None when no function has one; `check` is None where
    the URL asks for no signature; `health` tells which functions are up.
    """

    def __init__(
        self,
        pool: Invoker | None,
        check: SignatureCheck | None,
        health: Callable[[], Mapping[str, bool]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._check = check
        self._health = health
        self._now = now
        self._turns = Turns()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.method == "CONNECT":
            return _tunnel_refusal(request)
        path, query = request_target(request)
        if path == HEALTH_PATH:
            return self._health_answer()
        if self._pool is None:
            return _refusal(404, "ResourceNotFoundException", "no function has a url")
        await self._turns.wait()
        return await self._ask(self._pool, request, path, query)

    async def _ask(
        self, pool: Invoker, request: web.BaseRequest, path: str, query: str
    ) -> web.StreamResponse:
        try:
            body = await read_body(request, MAX_REQUEST_BYTES)
            asked = url_request(request, path, query, body)
            return await self._invoke(pool, request, asked, self._authorise(asked))
        except BodyTooLargeError:
            return _refusal(
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {MAX_REQUEST_BYTES} bytes "
                "for the InvokeFunction operation",
            )
        except MissingSignatureError:
            return _refusal(403, "AccessDeniedException", _FORBIDDEN)
        except SignatureRefusedError as error:
            return _refusal(403, error.error_type, str(error))

    async def _invoke(
        self,
        pool: Invoker,
        request: web.BaseRequest,
        asked: UrlRequest,
        access_key: str | None,
    ) -> web.StreamResponse:
        request_id = new_id()
        trace_id = trace_for(request.headers.get("X-Amzn-Trace-Id", ""), self._now())
        tracing = (("x-amzn-RequestId", request_id), ("x-amzn-trace-id", trace_id))
        event = url_event(
            asked,
            request_id=request_id,
            now=self._now(),
            access_key=access_key,
            forwarding=forwarding_headers(request, trace_id),
        )
        if len(event) > MAX_REQUEST_BYTES:
            raise BodyTooLargeError
        answer = UrlAnswer(request, tracing, self._now)
        invocation = pool.submit(event, answer, trace_id)
        return answer.finish(await invocation.outcome)

    def _authorise(self, asked: UrlRequest) -> str | None:
        if self._check is None:
            return None
        signed = SignedRequest(
            asked.method, asked.raw_path, asked.raw_query, asked.headers, asked.body
        )
        return self._check.verify(signed, self._now())

    def _health_answer(self) -> web.Response:
        functions = self._health()
        ready = bool(functions) and all(functions.values())
        told = {
            "status": "ok" if ready else "starting",
            "functions": {key: "ready" if up else "starting" for key, up in functions.items()},
        }
        return web.json_response(told, status=200 if ready else 503)


def request_target(request: web.BaseRequest) -> tuple[str, str]:
    """Return path and query as they stood on the wire, without a scheme and host."""
    absolute = _ABSOLUTE.match(request.raw_path)
    target = request.raw_path[absolute.end() :] if absolute else request.raw_path
    path, _, query = target.partition("?")
    return path.partition("#")[0] or "/", query.partition("#")[0]


def url_request(request: web.BaseRequest, path: str, query: str, body: bytes) -> UrlRequest:
    """Return what the event and the signature are made from."""
    return UrlRequest(
        method=request.method,
        raw_path=path,
        raw_query=query,
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        headers=tuple(_headers(request)),
        body=body,
        source_ip=request.remote or "",
    )


def _headers(request: web.BaseRequest) -> Iterator[tuple[str, str]]:
    # RFC 9112 section 3.2.2: the host of an absolute target counts, whatever the field says.
    absolute = _ABSOLUTE.match(request.raw_path)
    for name, value in request.headers.items():
        yield name, absolute["host"] if absolute and name.lower() == "host" else value


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Return the body; raises BodyTooLargeError above `limit` bytes, which are not all read."""
    if (request.content_length or 0) > limit:
        raise BodyTooLargeError
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        if request.content.is_eof():  # a small one is all there
            body += request.content.read_nowait()
        while piece := await request.content.readany():
            body += piece
            if len(body) > limit:
                raise BodyTooLargeError
    except web.RequestPayloadError as error:
        raise ConnectionResetError("the client left before its body was complete") from error
    return bytes(body)


def forwarding_headers(request: web.BaseRequest, trace_id: str) -> tuple[tuple[str, str], ...]:
    """Return what AWS's front adds to a client's header fields."""
    port = request.host.rpartition(":")[2]
    return (
        ("X-Forwarded-For", request.remote or ""),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", port if port.isdecimal() else "80"),
        ("X-Amzn-Trace-Id", trace_id),
    )


def trace_for(given: str, now: float) -> str:
    """Return a trace header that keeps the root which the client gave, if it gave one."""
    fresh = new_trace_id(now)
    root = _TRACE_ROOT.search(given)
    return _TRACE_ROOT.sub(root.group(), fresh) if root else fresh


def _tunnel_refusal(request: web.BaseRequest) -> web.Response:
    host, port, *_ = request.get_extra_info("sockname")
    message = _NO_TUNNEL.format(host=f"[{host}]" if ":" in host else host, port=port)
    refusal = _refusal(501, "NotImplementedException", message)
    # All that most clients show of the answer to a CONNECT.
    refusal.set_status(501, "No tunnels here: use http:// URLs")
    refusal.force_close()
    return refusal


def _refusal(status: int, error_type: str, message: str) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps({"Message": message}, separators=(",", ":")),
        content_type="application/json",
        headers={"x-amzn-ErrorType": error_type, "x-amzn-RequestId": new_id()},
    )
