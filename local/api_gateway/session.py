"""One WebSocket connection after its handshake: takes messages, and decides when it ends."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from local.api_gateway.connections import Connection
from local.api_gateway.integration import Integrations
from local.clock import Clock
from local.limits import CONNECTION_LIFETIME_S, IDLE_TIMEOUT_S

_NO_STATUS = 1005  # RFC 6455, 7.1.5: the close frame held no status
_NO_STATUS_REASON = "Client-side close frame status not set"
ABNORMAL = 1006
"""Close code of a connection that ended without a close frame (RFC 6455, 7.1.5)."""


class WebSocketSession:
    """Serves one open connection; calls for its messages may continue after its end."""

    def __init__(self, connection: Connection, integrations: Integrations, clock: Clock) -> None:
        self._connection = connection
        self._integrations = integrations
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> tuple[int, str]:
        """Take messages until the connection ends; return the close code and reason."""
        connection = self._connection
        ended = ABNORMAL, ""
        watch = asyncio.create_task(self._watch())
        try:
            async with connection.listening():
                ended = await self._listen()
        finally:
            watch.cancel()
            code = connection.close_code
            await connection.close(WSCloseCode.OK)
        return ended if code is None else (code, "")

    async def _listen(self) -> tuple[int, str]:
        async for message in _messages(self._connection.socket):
            if message.type is WSMsgType.TEXT:
                self._take(message.data)
            elif message.type is WSMsgType.BINARY:
                await self._connection.close(WSCloseCode.UNSUPPORTED_DATA)
            else:
                return _client_close(message)
        return ABNORMAL, ""

    async def _watch(self) -> None:
        """End the connection when it is too old or idle for too long."""
        connection = self._connection
        oldest = connection.peer.connected_at + CONNECTION_LIFETIME_S
        # Each message moves the end, so it is computed again when it is due.
        while (wait := min(oldest, connection.last_active_at + IDLE_TIMEOUT_S)) > self._clock.now():
            await self._clock.sleep(wait - self._clock.now())
        connection.end(WSCloseCode.GOING_AWAY)

    def _take(self, body: str) -> None:
        self._connection.active()
        task = asyncio.create_task(self._answer(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, body: str) -> None:
        request_id = str(uuid.uuid4())
        peer = self._connection.peer
        text = await self._integrations.message(peer, body, request_id)
        if text is not None:
            frame = {
                "message": text,
                "connectionId": peer.connection_id,
                "requestId": request_id,
            }
            await self._connection.notify(json.dumps(frame))


async def _messages(socket: web.WebSocketResponse) -> AsyncIterator[WSMessage]:
    """Yield messages and the close frame, which aiohttp's own iteration drops."""
    while not socket.closed:
        message = await socket.receive()
        yield message
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return


def _client_close(message: WSMessage) -> tuple[int, str]:
    """Return the close code and reason of the client."""
    if message.type is WSMsgType.CLOSE:
        code = message.data or _NO_STATUS
        return code, message.extra or (_NO_STATUS_REASON if code == _NO_STATUS else "")
    if message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
        return message.data.code, ""
    return ABNORMAL, ""
