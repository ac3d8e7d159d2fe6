"""The WebSocket API: $connect before the handshake, a function per message, $disconnect after.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from local.clock import Clock, LoopClock
from local.connections import Connection, Connections
from local.connections_api import ConnectionsApi, connection_id_in
from local.environment import is_loopback
from local.frame_guard import FrameGuard, FrameTooBigError
from local.function_url import forwarding_headers, request_target
from local.invocation import Invoker, WholeAnswer, new_trace_id
from local.limits import (
    CLOSE_HANDSHAKE_TIMEOUT_S,
    CONNECTION_LIFETIME_S,
    IDLE_TIMEOUT_S,
    INTEGRATION_TIMEOUT_S,
    MAX_BUFFERED_RESPONSE_BYTES,
    MAX_MESSAGE_BYTES,
)
from local.proxy_answer import ProxyAnswer, read_proxy_answer
from local.sigv4_verification import SignatureCheck, SignatureRefusedError, SignedRequest
from local.websocket_event import (
    CONNECT,
    DISCONNECT,
    Peer,
    connect_event,
    disconnect_event,
    message_event,
    new_connection_id,
    select_route,
)

_NO_STATUS = 1005  # RFC 6455, 7.1.5: the close frame held no status
_ABNORMAL = 1006  # RFC 6455, 7.1.5: there was no close frame


@dataclass(frozen=True, slots=True)
class Routes:
    """Which pool runs the function of which route, and how a message's route is found."""

    pools: Mapping[str, Invoker]
    selection: str
    default_stage: str


class WebSocketApi:
    """The handler of the WebSocket port.

    `check` is None where $connect needs no signature; `open_door` where it needs nothing at all:
    then pages of other sites are kept out, which AWS would let in.
    """

    def __init__(
        self,
        routes: Routes,
        connections: Connections,
        management: ConnectionsApi,
        *,
        check: SignatureCheck | None = None,
        open_door: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._routes = routes
        self._connections = connections
        self._management = management
        self._check = check
        self._open_door = open_door
        self._clock = clock or LoopClock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: @connections, or a WebSocket handshake and all that follows."""
        path, query = request_target(request)
        connection_id = connection_id_in(path)
        if connection_id is not None:
            return await self._management.handle(request, connection_id)
        segments = [segment for segment in path.split("/") if segment]
        if len(segments) > 1:
            return _refusal(403, "Forbidden")
        if not web.WebSocketResponse().can_prepare(request).ok:
            return _refusal(426, "Upgrade Required")
        if self._open_door and not is_own_origin(request.headers.get("Origin")):
            return _refusal(403, "pages of other sites need WEBSOCKET_AUTH=forward_key")
        try:
            access_key = self._authorise(request, path, query)
        except SignatureRefusedError as error:
            return _refusal(403, str(error))
        stage = segments[0] if segments else self._routes.default_stage
        return await self._connect(request, self._peer(request, stage, query, access_key))

    async def close(self) -> None:
        """Close every connection and wait for what is under way."""
        closing = [
            connection.close(WSCloseCode.GOING_AWAY) for connection in self._connections.all()
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        for task in tuple(self._tasks):
            task.cancel()

    def _authorise(self, request: web.BaseRequest, path: str, query: str) -> str:
        """Return the access key that signed the handshake, "" where it needs no signature."""
        if self._check is None:
            return ""
        headers = tuple(request.headers.items())
        return self._check.verify(
            SignedRequest("GET", path, query, headers, b""), self._clock.now()
        )

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
        answer = await self._ask_connect(peer)
        if answer is None or not answer.is_success():
            status = _refusal_status(answer)
            return _refusal(status, _phrase(status), peer.connection_id)
        connection = Connection(peer, _socket(answer.protocol), self._clock)
        guard = FrameGuard(request.protocol)
        if request.transport is not None:
            request.transport.set_protocol(guard)
        try:
            await connection.socket.prepare(request)
        except ConnectionError:
            # The client left meanwhile: nobody hears this answer, but $connect is to be undone.
            self._disconnect(connection, _ABNORMAL, "")
            return _refusal(HTTPStatus.GONE, _phrase(HTTPStatus.GONE), peer.connection_id)
        self._connections.add(connection)
        await self._serve(connection, guard)
        return connection.socket

    async def _ask_connect(self, peer: Peer) -> ProxyAnswer | None:
        pool = self._routes.pools.get(CONNECT)
        if pool is None:
            return ProxyAnswer(200, None)
        event = connect_event(peer, str(uuid.uuid4()), self._clock.now())
        try:
            return await self._integrate(pool, event)
        except TimeoutError:
            return ProxyAnswer(HTTPStatus.GATEWAY_TIMEOUT, None)

    async def _serve(self, connection: Connection, guard: FrameGuard) -> None:
        code, reason = _ABNORMAL, ""
        watch = asyncio.create_task(self._watch(connection))
        try:
            async with guard.listening():
                code, reason = await self._listen(connection)
        except FrameTooBigError:
            await connection.close(WSCloseCode.MESSAGE_TOO_BIG)
        finally:
            watch.cancel()
            self._connections.remove(connection)
            code = connection.close_code or code
            await connection.close(WSCloseCode.OK)
            self._disconnect(connection, code, reason)

    async def _listen(self, connection: Connection) -> tuple[int, str]:
        """Take messages until there are no more; return the status and reason of the end."""
        async for message in _messages(connection.socket):
            if message.type is WSMsgType.TEXT:
                self._take(connection, message.data)
            elif message.type is WSMsgType.BINARY:
                await connection.close(WSCloseCode.UNSUPPORTED_DATA)
            else:
                return _client_close(message)
        return _ABNORMAL, ""

    async def _watch(self, connection: Connection) -> None:
        """Close the connection when it is too old or too quiet."""
        end = connection.peer.connected_at + CONNECTION_LIFETIME_S
        # The end moves with each message, so it is looked at again when it was due.
        while (until := min(end, connection.last_active_at + IDLE_TIMEOUT_S)) > self._clock.now():
            await self._clock.sleep(until - self._clock.now())
        self._spawn(connection.close(WSCloseCode.GOING_AWAY))

    def _take(self, connection: Connection, body: str) -> None:
        connection.active()
        route = select_route(body, self._routes.selection, tuple(self._routes.pools))
        request_id = str(uuid.uuid4())
        if route is None:
            self._spawn(self._tell(connection, "Forbidden", request_id))
            return
        event = message_event(connection.peer, route, body, request_id, self._clock.now())
        self._spawn(self._message(connection, self._routes.pools[route], event, request_id))

    async def _message(
        self, connection: Connection, pool: Invoker, event: bytes, request_id: str
    ) -> None:
        try:
            if await self._integrate(pool, event) is None:
                await self._tell(connection, "Internal server error", request_id)
        except TimeoutError:
            await self._tell(connection, "Endpoint request timed out", request_id)

    def _disconnect(self, connection: Connection, code: int, reason: str) -> None:
        pool = self._routes.pools.get(DISCONNECT)
        if pool is None:
            return
        if code == _NO_STATUS:
            reason = reason or "Client-side close frame status not set"
        event = disconnect_event(
            connection.peer, code, reason, str(uuid.uuid4()), self._clock.now()
        )
        # Best effort, as AWS says: nobody waits for its outcome.
        pool.submit(event, WholeAnswer(MAX_BUFFERED_RESPONSE_BYTES))

    async def _integrate(self, pool: Invoker, event: bytes) -> ProxyAnswer | None:
        """Return the function's answer, None for a failure; raises TimeoutError."""
        receiver = WholeAnswer(MAX_BUFFERED_RESPONSE_BYTES)
        invocation = pool.submit(event, receiver)
        async with self._clock.timeout(INTEGRATION_TIMEOUT_S):
            # The function goes on when API Gateway stops waiting.
            failure = await asyncio.shield(invocation.outcome)
        if failure is not None or receiver.too_large:
            return None
        return read_proxy_answer(receiver.body())

    async def _tell(self, connection: Connection, message: str, request_id: str) -> None:
        told = {
            "message": message,
            "connectionId": connection.peer.connection_id,
            "requestId": request_id,
        }
        if not connection.socket.closed:
            try:
                await connection.socket.send_str(json.dumps(told))
            except ConnectionError:
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def is_own_origin(origin: str | None) -> bool:
    """Return whether no page, or one that this machine serves, opens the connection.

    Without a key any page the user visits could spend the provider's: browsers let scripts connect
    to loopback and tell where they come from (RFC 6455, 10.2).
    """
    if origin is None:
        return True
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False


def _socket(protocol: str | None) -> web.WebSocketResponse:
    return web.WebSocketResponse(
        timeout=CLOSE_HANDSHAKE_TIMEOUT_S,
        # FrameGuard refuses before: one more than a message may have is what aiohttp refuses.
        max_msg_size=MAX_MESSAGE_BYTES + 1,
        # API Gateway offers no permessage-deflate.
        compress=False,
        protocols=(protocol,) if protocol else (),
        # Every post waits for its client, not only each sixteenth 16 KB.
        writer_limit=0,
    )


async def _messages(socket: web.WebSocketResponse) -> Any:
    """Yield messages and the close frame, which aiohttp's own iteration leaves out."""
    while not socket.closed:
        message: WSMessage = await socket.receive()
        yield message
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return


def _client_close(message: WSMessage) -> tuple[int, str]:
    """Return the status and reason by which the client's side of a connection ended."""
    if message.type is WSMsgType.CLOSE:
        return message.data or _NO_STATUS, message.extra or ""
    if message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
        return message.data.code, ""
    return _ABNORMAL, ""


def _refusal_status(answer: ProxyAnswer | None) -> int:
    # A 1xx would tell the client to wait, or that it is let in (RFC 9110, 15.2).
    if answer is None or answer.status < HTTPStatus.OK:
        return HTTPStatus.BAD_GATEWAY
    return answer.status


def _refusal(status: int, message: str, connection_id: str = "") -> web.Response:
    told = {"message": message, "requestId": str(uuid.uuid4())}
    if connection_id:
        told["connectionId"] = connection_id
    return web.json_response(told, status=status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
