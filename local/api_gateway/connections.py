"""The open connections of the WebSocket API, and how text reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import WSMsgType, web

from local.api_gateway.event import Peer
from local.clock import Clock
from local.limits import POST_DRAIN_TIMEOUT_S


class ConnectionGoneError(Exception):
    """The connection is closed, was never open, or its $connect has not been answered yet."""


class ClientTooSlowError(Exception):
    """The client has taken nothing for so long that the post was refused."""


class Connection:
    """One open connection; `active` is called for each message either way."""

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
        """Make the block in which messages are received; `end` leaves it.

        Close behind it: a close in the receiver's own task waits for the client's close frame,
        while aiohttp cuts off a client that still sends when another task closes.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self.close_code is None else 0) as self._listening:
                yield
        self._listening = None

    def is_ending(self) -> bool:
        """Return whether either side has begun to close it."""
        return self.close_code is not None or self.socket.closed

    def end(self, code: int) -> None:
        """Let the receiver close with `code` once it has taken all that came before."""
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
        """Note that a message passed."""
        self.last_active_at = self._clock.now()

    async def send_text(self, text: bytes) -> None:
        """Hand one text frame to the socket and wait until the client takes what it has.

        Raises ConnectionGoneError, and ClientTooSlowError when an earlier frame is still not
        taken; the frame is then not sent, so that a retry does not send it twice.
        """
        await self._wait_for_turn()
        if self.socket.closed:
            self._sending.release()
            raise ConnectionGoneError
        self.active()
        sending = asyncio.create_task(self._send(text))
        # The next post may replace the reference before this one has looked at its own.
        self._under_way = sending
        # The frame is in the socket's buffer at once; only the wait for the client can take long,
        # and it goes on after this post was answered: the next one finds its turn not yet come.
        try:
            async with self._clock.timeout(POST_DRAIN_TIMEOUT_S):
                lives = await asyncio.shield(sending)
        except TimeoutError:
            return
        if not lives:
            raise ConnectionGoneError

    async def tell(self, text: str) -> None:
        """Send API Gateway's own text frame, if the connection is still there."""
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
        """Send one frame, wait until the client takes it; return whether the connection lives."""
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
        """Let posts reach the connection from now on."""
        self._open[connection.peer.connection_id] = connection

    def remove(self, connection: Connection) -> None:
        """Answer posts to the connection with 410 from now on."""
        self._open.pop(connection.peer.connection_id, None)

    def find(self, connection_id: str) -> Connection:
        """Return the connection; raises ConnectionGoneError."""
        connection = self._open.get(connection_id)
        if connection is None or connection.is_ending():
            raise ConnectionGoneError
        return connection

    def all(self) -> tuple[Connection, ...]:
        """Return the connections that are open now."""
        return tuple(self._open.values())
