"""The WebSocket API: $connect before the handshake, a function per message, $disconnect after.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import WSCloseCode, web

from local.api_gateway.connections import Connection, Connections
from local.api_gateway.connections_api import ConnectionsApi, connection_id_in
from local.api_gateway.event import Peer, new_connection_id
from local.api_gateway.frame_guard import FrameGuard
from local.api_gateway.integration import Integrations, ProxyAnswer
from local.api_gateway.session import ABNORMAL, WebSocketSession
from local.clock import Clock
from local.http.refusals import RefusalLog, RefusedError
from local.http.remedies import signature_remedy
from local.http.requests import HttpRequest, forwarding_headers, http_request, request_target
from local.http.sigv4_verification import SignatureCheck, SignatureRejectedError
from local.http.sites import check_site
from local.invocation import Invoker, new_trace_id
from local.limits import CLOSE_HANDSHAKE_TIMEOUT_S, MAX_MESSAGE_BYTES

_NO_HANDSHAKE = (
    "This port serves WebSockets, and the request is no valid handshake. Use a WebSocket client "
    "with a ws:// URL. HTTP has a port of its own: the Function URL's."
)
_TOO_MANY = (
    "This process may not open more files, and keeps some for the functions. Close WebSockets, or "
    "raise the limit (ulimit -n 4096) and start again."
)
_UNKNOWN_PATH = "The path has several segments. Connect to / or to /{stage}, such as /dev."


@dataclass(frozen=True, slots=True)
class Routes:
    """The pool of each route's function, and how to find the route of a message."""

    pools: Mapping[str, Invoker]
    selection: str
    default_stage: str


class WebSocketApi:
    """The handler of the WebSocket port.

    `check` verifies requests to @connections. `auth` is WEBSOCKET_AUTH: aws_iam requires a signed
    $connect; none requires no key, so that pages of other sites are rejected, which AWS accepts.
    `refusals` gets a line for each refused request. `max_connections` may be open at once.
    """

    def __init__(
        self,
        routes: Routes,
        check: SignatureCheck,
        auth: str,
        refusals: RefusalLog,
        max_connections: int,
        clock: Clock | None = None,
    ) -> None:
        self._default_stage = routes.default_stage
        self._check = check
        self._auth = auth
        self._refusals = refusals
        self._free = max_connections
        self._clock = clock or Clock()
        self._connections = Connections()
        self._management = ConnectionsApi(self._connections, check, refusals)
        self._integrations = Integrations(routes.pools, routes.selection, self._clock)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: @connections, or a handshake and the messages after it."""
        path, query = request_target(request)
        connection_id = connection_id_in(path)
        if connection_id is not None:
            return await self._management.handle(request, connection_id)
        received = http_request(request)
        try:
            access_key = self._admit(request, received)
        except RefusedError as error:
            self._refusals.note("WebSocket", error.status, str(error))
            return _error(error.status, str(error))
        stage = path.strip("/") or self._default_stage
        self._free -= 1
        try:
            return await self._connect(request, self._peer(request, stage, query, access_key))
        finally:
            self._free += 1

    async def close(self) -> None:
        """Close every connection and wait for the close handshakes."""
        closing = [
            connection.close(WSCloseCode.GOING_AWAY) for connection in self._connections.all()
        ]
        await asyncio.gather(*closing, return_exceptions=True)

    def _admit(self, request: web.BaseRequest, received: HttpRequest) -> str:
        """Return the access key that signed the handshake, "" if it requires no signature.

        Raises RefusedError.
        """
        is_handshake = web.WebSocketResponse().can_prepare(request).ok
        if "/" in received.raw_path.strip("/"):
            raise RefusedError(_UNKNOWN_PATH if is_handshake else _NO_HANDSHAKE)
        if not is_handshake:
            raise RefusedError(_NO_HANDSHAKE, HTTPStatus.UPGRADE_REQUIRED)
        is_signed = self._auth == "aws_iam"
        if self._auth == "none" or (is_signed and self._check.keys.is_well_known()):
            check_site(received, "set WEBSOCKET_AUTH=forward_key and FORWARD_KEY")
        if self._free <= 0:
            raise RefusedError(_TOO_MANY, HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return self._check.verify(received, self._clock.now()) if is_signed else ""
        except SignatureRejectedError as error:
            raise RefusedError(signature_remedy(error, self._check)) from error

    def _peer(self, request: web.BaseRequest, stage: str, query: str, access_key: str) -> Peer:
        return Peer(
            connection_id=new_connection_id(),
            stage=stage,
            domain=request.host,
            source_ip=request.remote or "",
            user_agent=request.headers.get("User-Agent", ""),
            connected_at=self._clock.now(),
            headers=(
                *request.headers.items(),
                *forwarding_headers(request, new_trace_id(self._clock.now())),
            ),
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            access_key=access_key,
        )

    async def _connect(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        answer = await self._integrations.connect(peer)
        if not answer.is_success():
            self._refusals.note("WebSocket", answer.status, _reason(answer, self._auth))
            return _rejection(answer, peer)
        connection = Connection(peer, _socket(answer.protocol), self._clock)
        _guard(request, connection)
        try:
            await connection.socket.prepare(request)
        except ConnectionError:
            # The client disconnected meanwhile: $disconnect has to undo $connect.
            self._integrations.disconnect(peer, ABNORMAL, "")
            return _error(HTTPStatus.GONE, _phrase(HTTPStatus.GONE), peer.connection_id)
        await self._serve(connection)
        return connection.socket

    async def _serve(self, connection: Connection) -> None:
        ended = ABNORMAL, ""
        self._connections.add(connection)
        try:
            ended = await WebSocketSession(connection, self._integrations, self._clock).serve()
        finally:
            self._connections.remove(connection)
            self._integrations.disconnect(connection.peer, *ended)


def _socket(protocol: str | None) -> web.WebSocketResponse:
    return web.WebSocketResponse(
        timeout=CLOSE_HANDSHAKE_TIMEOUT_S,
        # FrameGuard rejects messages above the maximum first; aiohttp rejects those that reach it.
        max_msg_size=MAX_MESSAGE_BYTES + 1,
        # API Gateway does not support permessage-deflate.
        compress=False,
        protocols=(protocol,) if protocol else (),
        # Every post waits for its client, not only after 16 KB.
        writer_limit=0,
    )


def _guard(request: web.BaseRequest, connection: Connection) -> None:
    """Stop frames that are too big before they reach `connection`, which is about to open."""
    end = partial(connection.end, WSCloseCode.MESSAGE_TOO_BIG)
    if request.transport is not None:
        request.transport.set_protocol(FrameGuard(request.protocol, end))


def _rejection(answer: ProxyAnswer, peer: Peer) -> web.Response:
    # A 1xx would make the client wait, or accept it (RFC 9110, 15.2).
    status = answer.status if answer.status >= HTTPStatus.OK else HTTPStatus.BAD_GATEWAY
    return _error(status, _phrase(status), peer.connection_id)


def _reason(answer: ProxyAnswer, auth: str) -> str:
    if answer.status == HTTPStatus.UNAUTHORIZED and auth == "forward_key":
        return (
            "The key is missing, unknown, blocked or expired. Send one of FORWARD_KEY, or one of "
            "`npm run keys`, as Authorization: Bearer KEY, in ?key=KEY, or as the sub-protocol "
            "bearer.KEY next to another one."
        )
    return "The function of $connect rejected the handshake. Its lines above say why."


def _error(status: int, message: str, connection_id: str = "") -> web.Response:
    document = {"message": message, "requestId": str(uuid.uuid4())}
    if connection_id:
        document["connectionId"] = connection_id
    return web.json_response(document, status=status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Rejected"
