"""The Function URL: each HTTP request is one invocation; its answer is relayed as it arrives.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping

from aiohttp import web

from local.function_url.answer import UrlAnswer
from local.function_url.event import url_event
from local.function_url.turns import Turns
from local.http.requests import (
    BodyTooLargeError,
    HttpRequest,
    forwarding_headers,
    http_request,
    read_body,
    request_target,
)
from local.http.sigv4_verification import (
    MissingSignatureError,
    SignatureCheck,
    SignatureRejectedError,
)
from local.invocation import Invoker, new_id, new_trace_id
from local.limits import MAX_REQUEST_BYTES

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


class FunctionUrl:
    """The handler of the HTTP port.

    `pool` runs the function that has the URL (None: no function has one). `check` is None if the
    URL requires no signature. `health` returns which functions are ready.
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
        if request.method == "CONNECT":
            return _tunnel_error(request)
        if request_target(request)[0] == HEALTH_PATH:
            return self._health_answer()
        if self._pool is None:
            return _error(404, "ResourceNotFoundException", "No function has a URL.")
        await self._turns.wait()
        return await self._serve(self._pool, request)

    async def _serve(self, pool: Invoker, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await read_body(request, MAX_REQUEST_BYTES)
            received = http_request(request, body)
            return await self._invoke(pool, request, received, self._authorise(received))
        except BodyTooLargeError:
            return _error(
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {MAX_REQUEST_BYTES} bytes "
                "for the InvokeFunction operation",
            )
        except MissingSignatureError:
            return _error(403, "AccessDeniedException", _FORBIDDEN)
        except SignatureRejectedError as error:
            return _error(403, error.error_type, str(error))

    async def _invoke(
        self,
        pool: Invoker,
        request: web.BaseRequest,
        received: HttpRequest,
        access_key: str | None,
    ) -> web.StreamResponse:
        request_id = new_id()
        trace_id = trace_for(request.headers.get("X-Amzn-Trace-Id", ""), self._now())
        tracing = (("x-amzn-RequestId", request_id), ("x-amzn-trace-id", trace_id))
        event = url_event(
            received,
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

    def _authorise(self, received: HttpRequest) -> str | None:
        if self._check is None:
            return None
        return self._check.verify(received, self._now())

    def _health_answer(self) -> web.Response:
        functions = self._health()
        ready = bool(functions) and all(functions.values())
        document = {
            "status": "ok" if ready else "starting",
            "functions": {key: "ready" if up else "starting" for key, up in functions.items()},
        }
        return web.json_response(document, status=200 if ready else 503)


def trace_for(given: str, now: float) -> str:
    """Return a trace header that keeps the client's root, if it sent one."""
    fresh = new_trace_id(now)
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


def _error(status: int, error_type: str, message: str) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps({"Message": message}, separators=(",", ":")),
        content_type="application/json",
        headers={"x-amzn-ErrorType": error_type, "x-amzn-RequestId": new_id()},
    )
