"""HTTP/1.1 requests of one connection (no I/O): bytes in, values out.

Strict where RFC 9112 lets a server choose: lines end in CRLF, a request states the length of its
body in at most one way, and chunked is the only transfer coding. Trailers are kept: those of the
Runtime API carry a stream's error. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

MAX_CHUNK_LINE_BYTES = 256
"""Maximum line before a chunk, in bytes: a size of up to 16 digits and extensions, ignored."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
_REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) HTTP/1\.([01])\r\n" % _TOKEN)
_FIELDS = re.compile(rb"(?:%b:%b\r\n)*" % (_TOKEN, _VALUE))
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})[ \t]{0,9}(?:;[^\x00-\x08\x0a-\x1f\x7f]{0,200})?\r\n"
)
_CLOSE = re.compile(r"(?:^|,)[ \t]*close[ \t]*(?:,|$)", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,15}")
_LINE_END = b"\r\n"
_BLOCK_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request; header names are in lower case, repeated fields are joined."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BodyPiece:
    """Bytes of the body that were read at once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The end of the body, with its trailers."""

    trailers: Mapping[str, str]


RequestEvent = RequestHead | BodyPiece | BodyEnd


class MalformedRequestError(Exception):
    """The request is not valid HTTP, or not of the strict kind accepted here."""


class RequestReader:
    """One connection: `receive` up to a request's BodyEnd, `reply`, then `receive` the next one.

    Bytes after a request are kept until the reply. A head, and also the trailers, may have
    `max_head_bytes`. The reader is useless after a MalformedRequestError.
    """

    def __init__(self, max_head_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._unread = bytearray()
        self._at = 0
        self._searched = 0
        self._room = 0
        self._found: list[RequestEvent] = []
        self._pieces: list[bytes] = []
        self._step = self._head
        self.closes = False
        """Whether this is the connection's last request, by its header or its HTTP version."""

    def receive(self, data: bytes) -> list[RequestEvent]:
        """Take bytes and return what they complete; the body's bytes become one piece.

        After a reply, `b""` returns what has been read of the next request. Raises
        MalformedRequestError.
        """
        if not self._unread:
            if len(data) < self._room:
                self._room -= len(data)
                return [BodyPiece(data)]
            if self._step == self._chunk_size and (whole := _one_chunk(data)):
                return [BodyPiece(whole)]
        self._unread += data
        return self._events()

    def reply(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        """Return the bytes of a reply to the request that has ended."""
        self._step = self._head
        lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers)]
        lines.append(f"content-length: {len(body)}")
        if self.closes:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def has_unread(self) -> bool:
        """Return whether bytes of the next request have been read."""
        return bool(self._unread)

    def _events(self) -> list[RequestEvent]:
        while self._step():
            pass
        self._flush()
        del self._unread[: self._at]
        self._at = 0
        found, self._found = self._found, []
        return found

    def _flush(self) -> None:
        if self._pieces:
            self._found.append(BodyPiece(b"".join(self._pieces)))
            self._pieces.clear()

    def _head(self) -> bool:
        end = self._block_end()
        if end < 0:
            return False
        line = _REQUEST_LINE.match(self._unread, self._at, end)
        if line is None:
            self._reject("a request line")
        headers = self._fields(line.end(), end)
        is_1_0 = line[3] == b"0"
        if ("transfer-encoding" in headers) if is_1_0 else ("host" not in headers):
            self._reject("a host field, and a transfer coding in HTTP/1.1 only")
        method, target = line[1].decode("ascii"), line[2].decode("ascii")
        self._found.append(RequestHead(method, target, headers))
        self.closes = is_1_0 or bool(_CLOSE.search(headers.get("connection", "")))
        self._choose_body(headers)
        return True

    def _choose_body(self, headers: Mapping[str, str]) -> None:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                self._reject("chunked as the only statement of the body's length")
            self._step = self._chunk_size
        elif length is None:
            self._finish({})
        elif _LENGTH.fullmatch(length):
            self._room = int(length)
            self._step = self._sized
        else:
            self._reject("a content-length of digits")

    def _sized(self) -> bool:
        self._take_body()
        if self._room:
            return False
        self._finish({})
        return True

    def _chunk_size(self) -> bool:
        line = _CHUNK_LINE.match(self._unread, self._at)
        if line is None:
            waiting = self._unread[self._at :]
            if b"\n" in waiting or len(waiting) > MAX_CHUNK_LINE_BYTES:
                self._reject("a chunk's size")
            return False
        self._at = line.end()
        self._room = int(line[1], 16)
        self._step = self._chunk if self._room else self._trailers
        return True

    def _chunk(self) -> bool:
        self._take_body()
        if self._room or len(self._unread) - self._at < len(_LINE_END):
            return False
        if not self._unread.startswith(_LINE_END, self._at):
            self._reject("a line end after a chunk")
        self._at += len(_LINE_END)
        self._step = self._chunk_size
        return True

    def _trailers(self) -> bool:
        if self._unread.startswith(_LINE_END, self._at):
            self._at += len(_LINE_END)
            self._finish({})
            return True
        end = self._block_end()
        if end < 0:
            return False
        self._finish(self._fields(self._at, end))
        return True

    def _replied(self) -> bool:
        """Leave the next request until the reply to this one."""
        if len(self._unread) - self._at > self._max_head_bytes:
            self._reject("the next request only after the reply to this one")
        return False

    def _finish(self, trailers: Mapping[str, str]) -> None:
        self._flush()
        self._found.append(BodyEnd(trailers))
        self._step = self._replied

    def _take_body(self) -> None:
        taken = min(self._room, len(self._unread) - self._at)
        if taken:
            with memoryview(self._unread) as unread:
                self._pieces.append(bytes(unread[self._at : self._at + taken]))
            self._at += taken
            self._room -= taken

    def _block_end(self) -> int:
        """Return where the current block of lines ends, before its empty line, or -1."""
        found = self._unread.find(_BLOCK_END, max(self._at, self._searched))
        end = found + len(_LINE_END)
        if (len(self._unread) if found < 0 else end) - self._at > self._max_head_bytes:
            self._reject(f"at most {self._max_head_bytes} bytes of header fields")
        self._searched = max(0, len(self._unread) - self._at - len(_BLOCK_END)) if found < 0 else 0
        return -1 if found < 0 else end

    def _fields(self, start: int, end: int) -> dict[str, str]:
        """Take the lines up to `end` and the empty line after them."""
        if _FIELDS.fullmatch(self._unread, start, end) is None:
            self._reject("header fields")
        fields: dict[str, str] = {}
        for line in self._unread[start:end].decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        self._at = end + len(_LINE_END)
        return fields

    def _reject(self, expected: str) -> NoReturn:
        raise MalformedRequestError(f"malformed request: expected {expected}")


def _one_chunk(data: bytes) -> bytes:
    """Return the content if `data` is exactly one chunk, as in a live stream, else b""."""
    line = _CHUNK_LINE.match(data)
    if line is None or not data.endswith(_LINE_END):
        return b""
    start, end = line.end(), len(data) - len(_LINE_END)
    return data[start:end] if int(line[1], 16) == end - start else b""
