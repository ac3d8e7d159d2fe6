"""Stops a client's frames that are too big before aiohttp reads them (RFC 6455, 5.2).

aiohttp joins the frames of a message before it passes the message on; so it cannot limit frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from local.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES

_FIXED_BYTES = 2
_LENGTH_BYTES = {126: 2, 127: 8}
"""Bytes of an extended length, by the 7-bit length that announces it."""

_MASK_BYTES = 4
_CONTINUATION = 0x0
_CONTROL = 0x8


@dataclass(frozen=True, slots=True)
class _Header:
    opcode: int
    payload_bytes: int


class FrameGuard(asyncio.Protocol):
    """Passes the frames that `ClientFrames` accepts on to `protocol`, and drops the others.

    Insert it between the handshake's request and its answer: the client sends no frame before it
    has the answer (RFC 6455, 4.1). `on_too_big` is called once, after everything before the
    frame was passed on; it has to close the connection.
    """

    def __init__(self, protocol: asyncio.Protocol, on_too_big: Callable[[], None]) -> None:
        self._protocol = protocol
        self._on_too_big = on_too_big
        self._frames = ClientFrames()

    def data_received(self, data: bytes) -> None:
        was_too_big = self._frames.too_big
        passed = self._frames.passed(data)
        if passed:
            self._protocol.data_received(passed)
        if self._frames.too_big and not was_too_big:
            self._on_too_big()

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


class ClientFrames:
    """Takes a client's bytes after its handshake, in pieces of any size (no I/O).

    A frame above 32 KB, or one by which its message exceeds 128 KB, sets `too_big`. That frame and
    all later data frames are dropped. Control frames still pass, because the client has to answer
    our close frame.
    """

    def __init__(self) -> None:
        self.too_big = False
        self._head = bytearray()
        self._payload_left = 0
        self._passes = True
        self._message_bytes = 0

    def passed(self, data: bytes) -> bytes:
        """Return the accepted bytes of `data`; a header is held back until it is complete."""
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
    """Return the length of the header that begins with `head`, as far as it is known."""
    if len(head) < _FIXED_BYTES:
        return _FIXED_BYTES
    mask_bytes = _MASK_BYTES if head[1] & 0x80 else 0
    return _FIXED_BYTES + _LENGTH_BYTES.get(head[1] & 0x7F, 0) + mask_bytes


def _header(head: bytes) -> _Header:
    length = head[1] & 0x7F
    if length in _LENGTH_BYTES:
        length = int.from_bytes(head[_FIXED_BYTES : _FIXED_BYTES + _LENGTH_BYTES[length]], "big")
    return _Header(head[0] & 0x0F, length)
