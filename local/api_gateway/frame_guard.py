"""Stands between a client's socket and aiohttp, and keeps frames away that are too big."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from local.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES

_FIXED_BYTES = 2
_LENGTH_BYTES = {126: 2, 127: 8}
"""Bytes of the length behind the first two, where these hold no length but its kind."""

_MASK_BYTES = 4
_CONTINUATION = 0x0
_CONTROL = 0x8


@dataclass(frozen=True, slots=True)
class _Header:
    opcode: int
    payload_bytes: int


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


class ClientFrames:
    """Takes a client's bytes from the end of its handshake on, in any pieces.

    A frame above 32 KB, or one by which its message exceeds 128 KB, sets `too_big`. It and all data
    frames behind it are left out; control frames still pass, so that the client's answer to our
    close frame arrives.
    """

    def __init__(self) -> None:
        self.too_big = False
        self._head = bytearray()
        self._payload_left = 0
        self._passes = True
        self._message_bytes = 0

    def passed(self, data: bytes) -> bytes:
        """Return what passes of `data`; a frame's header is held back until it is complete."""
        passed = bytearray()
        at = 0
        while at < len(data):
            if self._payload_left:
                piece = data[at : at + self._payload_left]
                self._payload_left -= len(piece)
            else:
                piece = data[at : at + _header_bytes(self._head) - len(self._head)]
                self._head += piece
            at += len(piece)
            passed += self._piece_passed(piece)
        return bytes(passed)

    def _piece_passed(self, piece: bytes) -> bytes:
        if not self._head:
            return piece if self._passes else b""
        if len(self._head) < _header_bytes(self._head):
            return b""
        head = bytes(self._head)
        self._head.clear()
        self._begin(_header(head))
        return head if self._passes else b""

    def _begin(self, header: _Header) -> None:
        self._payload_left = header.payload_bytes
        self._passes = bool(header.opcode & _CONTROL) or self._takes(header)

    def _takes(self, header: _Header) -> bool:
        if header.opcode != _CONTINUATION:
            self._message_bytes = 0
        self._message_bytes += header.payload_bytes
        if header.payload_bytes > MAX_FRAME_BYTES or self._message_bytes > MAX_MESSAGE_BYTES:
            self.too_big = True
        return not self.too_big


def _header_bytes(head: bytes | bytearray) -> int:
    """Return how long the header is that begins so: two bytes until these are known."""
    if len(head) < _FIXED_BYTES:
        return _FIXED_BYTES
    mask_bytes = _MASK_BYTES if head[1] & 0x80 else 0
    return _FIXED_BYTES + _LENGTH_BYTES.get(head[1] & 0x7F, 0) + mask_bytes


def _header(head: bytes) -> _Header:
    length = head[1] & 0x7F
    if length in _LENGTH_BYTES:
        length = int.from_bytes(head[_FIXED_BYTES : _FIXED_BYTES + _LENGTH_BYTES[length]], "big")
    return _Header(head[0] & 0x0F, length)
