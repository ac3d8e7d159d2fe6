"""The Function URL: HTTP in, one invocation each, the answer relayed live.

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
    SignatureRefusedError,
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
    "CONNECT is not served: here ends no tunnel, because what goes through one cannot be read. "
    "Ask for http:// URLs (then http_proxy is used), or give the client this service's own URL "
    "as its base URL: http://{host}:{port}/v1"
)


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
        if request_target(request)[0] == HEALTH_PATH:
            return self._health_answer()
        if self._pool is None:
            return _refusal(404, "ResourceNotFoundException", "no function has a url")
        await self._turns.wait()
        return await self._ask(self._pool, request)

    async def _ask(self, pool: Invoker, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await read_body(request, MAX_REQUEST_BYTES)
            received = http_request(request, body)
            return await self._invoke(pool, request, received, self._authorise(received))
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
        told = {
            "status": "ok" if ready else "starting",
            "functions": {key: "ready" if up else "starting" for key, up in functions.items()},
        }
        return web.json_response(told, status=200 if ready else 503)


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
