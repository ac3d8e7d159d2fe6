"""Stands between a client's socket and aiohttp, and keeps frames away that are too big."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from local.api_gateway.client_frames import ClientFrames


class FrameGuard(asyncio.Protocol):
    """Passes on to `behind` what `ClientFrames` lets pass; the rest is read and dropped.

    To be put before `behind` between the handshake's request and its answer: the client sends no
    frame before it has that (RFC 6455, 4.1). `on_too_big` is called once, after all that came
    before the frame was passed on; to close the connection is its business.
    """

    def __init__(self, behind: asyncio.Protocol, on_too_big: Callable[[], None]) -> None:
        self._behind = behind
        self._on_too_big = on_too_big
        self._frames = ClientFrames()

    def data_received(self, data: bytes) -> None:
        """Pass on what may pass."""
        was_too_big = self._frames.too_big
        passed = self._frames.passed(data)
        if passed:
            self._behind.data_received(passed)
        if self._frames.too_big and not was_too_big:
            self._on_too_big()

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
