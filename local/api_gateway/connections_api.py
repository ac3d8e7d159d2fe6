"""@connections: posts to, describes and closes connections by HTTP.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from aiohttp import WSCloseCode, web

from local.api_gateway.connections import (
    ClientTooSlowError,
    Connection,
    ConnectionGoneError,
    Connections,
)
from local.http.refusals import RefusalLog, RefusedError
from local.http.remedies import OWN_PAIR, signature_remedy
from local.http.requests import BodyTooLargeError, http_request, read_body
from local.http.sigv4_verification import SignatureCheck, SignatureRejectedError
from local.http.sites import check_site
from local.limits import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES

SEGMENT = "@connections"
_TOO_SLOW = (
    "The client is sending more than the allowed number of requests per unit of time "
    "or the WebSocket client side buffer is full."
)


def connection_id_in(path: str) -> str | None:
    """Return the id in `/@connections/{id}` or `/{stage}/@connections/{id}`, else None."""
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    if len(segments) in (2, 3) and segments[-2] == SEGMENT:
        return segments[-1]
    return None


@dataclass(frozen=True, slots=True)
class ConnectionsApi:
    """The handler of @connections; every request must be signed for execute-api."""

    connections: Connections
    check: SignatureCheck
    refusals: RefusalLog
    now: Callable[[], float] = time.time

    async def handle(self, request: web.BaseRequest, connection_id: str) -> web.Response:
        received = http_request(request)
        try:
            if self.check.keys.is_well_known():
                check_site(received, OWN_PAIR)
            # Read more than a message: the signature of a body that is too long is verified, too.
            body = await read_body(request, MAX_REQUEST_BYTES)
            self.check.verify(replace(received, body=body), self.now())
            return await self._call(request.method, connection_id, body)
        except RefusedError as error:
            self.refusals.note(SEGMENT, 403, str(error))
            return _error(403, "ForbiddenException", str(error))
        except SignatureRejectedError as error:
            self.refusals.note(SEGMENT, 403, signature_remedy(error, self.check))
            return _error(403, error.error_type, str(error))
        except ConnectionGoneError:
            return _error(410, "GoneException", "The connection with the provided id is gone")
        except ClientTooSlowError:
            return _error(429, "LimitExceededException", _TOO_SLOW)
        except BodyTooLargeError:
            return _too_large_error()

    async def _call(self, method: str, connection_id: str, body: bytes) -> web.Response:
        if method == "POST" and len(body) > MAX_MESSAGE_BYTES:
            return _too_large_error()
        connection = self.connections.find(connection_id)
        if method == "POST":
            await connection.send_text(_utf8(body))
            return _answer(200)
        if method == "GET":
            return _answer(200, json.dumps(_description(connection)))
        if method == "DELETE":
            self.connections.remove(connection)
            connection.end(WSCloseCode.OK)
            return _answer(204)
        return _error(403, "ForbiddenException", "Forbidden")


def _utf8(body: bytes) -> bytes:
    # Invalid UTF-8 in a text frame makes a client close the connection (RFC 6455, 8.1).
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body


def _description(connection: Connection) -> dict[str, object]:
    peer = connection.peer
    return {
        "connectedAt": _iso(peer.connected_at),
        "identity": {"sourceIp": peer.source_ip, "userAgent": peer.user_agent},
        "lastActiveAt": _iso(connection.last_active_at),
    }


def _iso(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _answer(status: int, text: str | None = None) -> web.Response:
    return web.Response(
        status=status,
        text=text,
        content_type="application/json" if text is not None else None,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def _too_large_error() -> web.Response:
    return _error(
        413,
        "PayloadTooLargeException",
        f"The data has exceeded the maximum size allowed of {MAX_MESSAGE_BYTES} bytes",
    )


def _error(status: int, error_type: str, message: str) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps({"message": message}),
        content_type="application/json",
        headers={"x-amzn-ErrorType": error_type, "x-amzn-RequestId": str(uuid.uuid4())},
    )
