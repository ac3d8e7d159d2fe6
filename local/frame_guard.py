"""Stands between a client's socket and aiohttp, and keeps frames away that are too big."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.client_frames import ClientFrames


class FrameTooBigError(Exception):
    """The client sent a frame, or a message of frames, that is longer than it may be."""


class FrameGuard(asyncio.Protocol):
    """Passes on to `behind` what `ClientFrames` lets pass; the rest is read and dropped.

    To be put before `behind` between the handshake's request and its answer: the client sends no
    frame before it has that (RFC 6455, 4.1).
    """

    def __init__(self, behind: asyncio.Protocol) -> None:
        self._behind = behind
        self._frames = ClientFrames()
        self._listening: asyncio.Timeout | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Make a block in which messages are received.

        A frame too big interrupts it once it waits for a message, so after all that came before,
        and makes it raise FrameTooBigError. The connection is the caller's to close.
        """
        try:
            async with asyncio.timeout(0 if self._frames.too_big else None) as self._listening:
                yield
        except TimeoutError as error:
            raise FrameTooBigError from error
        finally:
            self._listening = None

    def data_received(self, data: bytes) -> None:
        """Pass on what may pass."""
        was_too_big = self._frames.too_big
        passed = self._frames.passed(data)
        if passed:
            self._behind.data_received(passed)
        if self._frames.too_big and not was_too_big and self._listening is not None:
            self._listening.reschedule(0)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on."""
        self._behind.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._behind.resume_writing()
