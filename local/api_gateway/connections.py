"""The open connections of the WebSocket API: sending text to them, and closing them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import WSMsgType, web

from local.api_gateway.event import Peer
from local.clock import Clock
from local.limits import POST_DRAIN_TIMEOUT_S


class ConnectionGoneError(Exception):
    """The connection is closed or unknown, or its $connect has not answered yet."""


class ClientTooSlowError(Exception):
    """The client has read nothing for so long that the post was rejected."""


class Connection:
    """One open connection; call `active` for each message in both directions."""

    def __init__(self, peer: Peer, socket: web.WebSocketResponse, clock: Clock) -> None:
        self.peer = peer
        self.socket = socket
        self.last_active_at = peer.connected_at
        self._clock = clock
        self._sending = asyncio.Lock()
        self._under_way: asyncio.Task[bool] | None = None
        self._listening: asyncio.Timeout | None = None
        self.close_code: int | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Receive messages in this block; `end` leaves it.

        Close the connection after it, in the same task: then aiohttp waits for the client's close
        frame. A close in another task would cut off a client that still sends.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self.close_code is None else 0) as self._listening:
                yield
        self._listening = None

    def is_ending(self) -> bool:
        """Return whether the client or the server has begun to close it."""
        return self.close_code is not None or self.socket.closed

    def end(self, code: int) -> None:
        """Let the receiver close with `code` after it has taken the earlier messages."""
        if self.close_code is None:
            self.close_code = code
        if self._listening is not None:
            self._listening.reschedule(0)

    async def close(self, code: int) -> None:
        """Close with `code`, unless a close with another code has begun."""
        if self.close_code is None:
            self.close_code = code
        await self.socket.close(code=self.close_code)

    def active(self) -> None:
        """Record the time of a message."""
        self.last_active_at = self._clock.now()

    async def send_text(self, text: bytes) -> None:
        """Send one text frame and wait until the client has read it.

        Raises ConnectionGoneError, and ClientTooSlowError when an earlier frame has not been read.
        The frame is then not sent: a retry must not send it twice.
        """
        await self._wait_for_turn()
        if self.socket.closed:
            self._sending.release()
            raise ConnectionGoneError
        self.active()
        sending = asyncio.create_task(self._send(text))
        # The next post may replace the reference before this one reads it.
        self._under_way = sending
        # The frame is in the socket's buffer at once. Only the wait for the client can take long;
        # it continues after this post was answered, and the next post waits for its turn.
        try:
            async with self._clock.timeout(POST_DRAIN_TIMEOUT_S):
                is_open = await asyncio.shield(sending)
        except TimeoutError:
            return
        if not is_open:
            raise ConnectionGoneError

    async def notify(self, text: str) -> None:
        """Send a text frame of API Gateway, if the connection is still open."""
        with suppress(ConnectionError):
            if not self.socket.closed:
                await self.socket.send_str(text)

    async def _wait_for_turn(self) -> None:
        try:
            async with self._clock.timeout(POST_DRAIN_TIMEOUT_S):
                await self._sending.acquire()
        except TimeoutError as error:
            raise ClientTooSlowError from error

    async def _send(self, text: bytes) -> bool:
        """Send one frame and wait until the client has read it; return False if it is gone."""
        try:
            await self.socket.send_frame(text, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            return False
        finally:
            self._sending.release()
        return True


class Connections:
    """The registry of open connections."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def add(self, connection: Connection) -> None:
        """Let posts reach the connection."""
        self._open[connection.peer.connection_id] = connection

    def remove(self, connection: Connection) -> None:
        """Answer posts to the connection with 410."""
        self._open.pop(connection.peer.connection_id, None)

    def find(self, connection_id: str) -> Connection:
        """Return the connection; raises ConnectionGoneError."""
        connection = self._open.get(connection_id)
        if connection is None or connection.is_ending():
            raise ConnectionGoneError
        return connection

    def all(self) -> tuple[Connection, ...]:
        return tuple(self._open.values())
