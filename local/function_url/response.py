"""The bytes of a Function URL's response: its head, its pieces, its end (no I/O).

https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from local.http.prelude import DEFAULT_CONTENT_TYPE, HttpHead

_HTTP_1_1 = (1, 1)
# RFC 9110 section 7.6.1: these concern the connection, and the body is framed again.
_NOT_PASSED_ON = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "content-length"}
)
_CORS = "access-control-"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The parts of a request that decide how its response is framed."""

    method: str
    version: tuple[int, int]
    keep_alive: bool


class ResponseFraming:
    """One response: `start`, then `piece` for each part of the body, then `end`.

    `added` are header fields after those of the answer; the answer's own CORS fields stay.
    """

    def __init__(self, request: RequestFacts, head: HttpHead, added: Fields = ()) -> None:
        self._request = request
        self._head = head
        # A browser rejects an answer that states its origin twice.
        self._added = [f for f in added if not f[0].startswith(_CORS) or head.header(f[0]) is None]
        length = head.header("content-length") or ""
        self._length = int(length) if length.isdecimal() and length.isascii() else None
        self._has_body = request.method != "HEAD" and not _is_bodiless(head.status)
        self._chunked = self._has_body and self._length is None and request.version >= _HTTP_1_1
        ends_by_itself = not self._has_body or self._chunked or self._length is not None
        self.keep_alive = request.keep_alive and ends_by_itself
        """Whether the connection can carry another request."""
        self.missing = self._length or 0 if self._has_body else 0
        """Bytes still missing from the stated length."""

    def start(self, now: float) -> bytes:
        """Return the status line and the header fields; `now` is the time for Date."""
        head = self._head
        lines = [
            f"HTTP/{self._request.version[0]}.{self._request.version[1]} {head.status} "
            f"{_REASONS.get(head.status, '')}"
        ]
        lines += [f"{name}: {value}" for name, value in self._fields(now)]
        lines += [f"Set-Cookie: {cookie}" for cookie in head.cookies]
        return "\r\n".join([*lines, "", ""]).encode()

    def piece(self, data: bytes) -> bytes:
        """Return the bytes to send for `data`; none for a response without a body."""
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        if not self._has_body:
            return b""
        if self._length is None:
            return data
        sent = data[: self.missing]
        self.missing -= len(sent)
        return sent

    def end(self) -> bytes:
        return b"0\r\n\r\n" if self._chunked else b""

    def _fields(self, now: float) -> Iterator[tuple[str, str]]:
        names = set()
        for name, value in (*self._head.headers, *self._added):
            lower = name.lower()
            names.add(lower)
            if lower not in _NOT_PASSED_ON:
                yield name, value
        if "content-type" not in names and self._has_body and self._length != 0:
            yield "Content-Type", DEFAULT_CONTENT_TYPE
        if "date" not in names:
            yield "Date", _date(int(now))
        if self._chunked:
            yield "Transfer-Encoding", "chunked"
        elif self._length is not None and self._may_state_length():
            yield "Content-Length", str(self._length)
        if not self.keep_alive:
            yield "Connection", "close"
        elif self._request.version < _HTTP_1_1:
            yield "Connection", "keep-alive"

    def _may_state_length(self) -> bool:
        # RFC 9110 section 8.6: also without a body, but never with 1xx and 204.
        status = self._head.status
        return status >= HTTPStatus.OK and status != HTTPStatus.NO_CONTENT


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _is_bodiless(status: int) -> bool:
    return status < HTTPStatus.OK or status in _WITHOUT_BODY
