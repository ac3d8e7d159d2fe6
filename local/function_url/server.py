"""The Function URL: each HTTP request is one invocation; its answer is relayed as it arrives.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from types import MappingProxyType

from aiohttp import web

from local.function_url.answer import UrlAnswer
from local.function_url.door import UrlDoor, presented_key
from local.function_url.event import url_event
from local.function_url.turns import Turns
from local.http.refusals import RefusalLog, RefusedError
from local.http.requests import (
    BodyTooLargeError,
    Headers,
    HttpRequest,
    forwarding_headers,
    http_request,
    read_body,
)
from local.http.sigv4_verification import Reason, SignatureRejectedError
from local.invocation import Invoker, new_id, new_trace_id
from local.limits import MAX_REQUEST_BYTES
from local.playground.page import Playground

HEALTH_PATH = "/_local/health"
_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_TRACE_ROOT = re.compile(r"Root=[-0-9A-Za-z]+")
_NO_TUNNEL = (
    "CONNECT is not supported: Sluice cannot read what goes through a tunnel. Use http:// URLs "
    "(clients then use http_proxy), or set the client's base URL to http://{host}:{port}/v1"
)
_WRONG_PORT = (
    "A WebSocket connects to the port of the Function URL. "
    "Use the WebSocket's address, which the banner of npm start shows."
)
_NOTHING: Mapping[str, object] = MappingProxyType({})


class FunctionUrl:
    """The handler of the HTTP port.

    `pool` runs the function that has the URL (None: no function has one). `health` returns which
    functions are ready. `refusals` gets a line for each request that `door` refuses. `playground`
    answers browsers.
    """

    def __init__(
        self,
        pool: Invoker | None,
        door: UrlDoor,
        health: Callable[[], Mapping[str, bool]],
        refusals: RefusalLog,
        now: Callable[[], float] = time.time,
        *,
        is_sampled: bool = False,
        playground: Playground | None = None,
    ) -> None:
        self._pool = pool
        self._playground = playground
        self._is_sampled = is_sampled
        self._door = door
        self._health = health
        self._refusals = refusals
        self._now = now
        self._turns = Turns()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "CONNECT":
            return _tunnel_error(request)
        received = http_request(request)
        try:
            self._door.check_site(received)
            own = await self._own_answer(request, received)
        except RefusedError as error:
            return self._refuse(received, str(error), "AccessDeniedException", str(error))
        if own is not None:
            return own
        if self._pool is None:
            return _error(404, "ResourceNotFoundException", "No function has a URL.")
        await self._turns.wait()
        return await self._serve(self._pool, request, received)

    async def _own_answer(
        self, request: web.BaseRequest, received: HttpRequest
    ) -> web.StreamResponse | None:
        """Answer what the function must not see. Raises RefusedError."""
        preflight = self._door.preflight_headers(received)
        if preflight:
            return web.Response(status=204, headers=dict(preflight))
        if received.raw_path == HEALTH_PATH:
            return self._health_answer()
        if self._playground is None:
            return None
        return await self._playground.answer(request, received)

    async def _serve(
        self, pool: Invoker, request: web.BaseRequest, received: HttpRequest
    ) -> web.StreamResponse:
        try:
            received = replace(received, body=await read_body(request, MAX_REQUEST_BYTES))
            return await self._invoke(pool, request, received)
        except BodyTooLargeError:
            return _error(
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {MAX_REQUEST_BYTES} bytes "
                "for the InvokeFunction operation",
                self._door.page_headers(received),
            )
        except SignatureRejectedError as error:
            is_missing = error.reason is Reason.MISSING
            error_type = "AccessDeniedException" if is_missing else error.error_type
            message = _FORBIDDEN if is_missing else str(error)
            refusal = self._door.refusal(received, error)
            return self._refuse(received, refusal, error_type, message)

    async def _invoke(
        self, pool: Invoker, request: web.BaseRequest, received: HttpRequest
    ) -> web.StreamResponse:
        access_key = self._door.signer(received, self._now())
        request_id = new_id()
        given = request.headers.get("X-Amzn-Trace-Id", "")
        trace_id = trace_for(given, self._now(), is_sampled=self._is_sampled)
        added = (
            ("x-amzn-RequestId", request_id),
            ("x-amzn-trace-id", trace_id),
            *self._door.page_headers(received),
        )
        event = url_event(
            received,
            request_id=request_id,
            now=self._now(),
            access_key=access_key,
            forwarding=forwarding_headers(request, trace_id),
        )
        if len(event) > MAX_REQUEST_BYTES:
            raise BodyTooLargeError
        answer = UrlAnswer(request, added, self._now)
        invocation = pool.submit(event, answer, trace_id)
        response = answer.finish(await invocation.outcome)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._note(401, self._door.key_refusal(received))
        return response

    def _refuse(
        self, received: HttpRequest, refusal: str, error_type: str, message: str
    ) -> web.Response:
        if received.header("upgrade").lower() == "websocket":
            refusal = message = _WRONG_PORT
        self._note(403, refusal)
        headers = self._door.page_headers(received)
        return _error(403, error_type, message, headers, _sdk_error(received, refusal))

    def _note(self, status: int, refusal: str) -> None:
        if refusal:
            self._refusals.note("Function URL", status, refusal)

    def _health_answer(self) -> web.Response:
        functions = self._health()
        ready = bool(functions) and all(functions.values())
        document = {
            "status": "ok" if ready else "starting",
            "functions": {key: "ready" if up else "starting" for key, up in functions.items()},
        }
        return web.json_response(document, status=200 if ready else 503)


def trace_for(given: str, now: float, *, is_sampled: bool = False) -> str:
    """Return a trace header that keeps the client's root, if it sent one."""
    fresh = new_trace_id(now, is_sampled=is_sampled)
    root = _TRACE_ROOT.search(given)
    return _TRACE_ROOT.sub(root.group(), fresh) if root else fresh


def _tunnel_error(request: web.BaseRequest) -> web.Response:
    host, port, *_ = request.get_extra_info("sockname")
    message = _NO_TUNNEL.format(host=f"[{host}]" if ":" in host else host, port=port)
    response = _error(501, "NotImplementedException", message)
    # Most clients show only the reason phrase of the answer to a CONNECT.
    response.set_status(501, "CONNECT is not supported: use http:// URLs")
    response.force_close()
    return response


def _sdk_error(received: HttpRequest, refusal: str) -> dict[str, object]:
    """Return the part of a body that OpenAI's clients show: they ignore AWS's `Message`."""
    if not (presented_key(received) or received.header("x-stainless-lang")):
        return {}
    error = {"message": refusal, "type": "permission_error", "param": None, "code": "refused"}
    return {"error": error}


def _error(
    status: int,
    error_type: str,
    message: str,
    headers: Headers = (),
    more: Mapping[str, object] = _NOTHING,
) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps({"Message": message, **more}, separators=(",", ":")),
        content_type="application/json",
        headers={"x-amzn-ErrorType": error_type, "x-amzn-RequestId": new_id(), **dict(headers)},
    )
