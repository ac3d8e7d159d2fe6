"""HTTP/1.1 as a client speaks it, without any I/O: requests out, replies in. RFC 9112.

Every upstream and API Gateway are asked with this alone: http.client, and what stands on it, would
be most of a function's start.
"""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_HEAD_BYTES = 64 * 1024
"""Of a reply's status line and headers, and again of its trailers. Providers send one or two KB,
servers stop at 8 to 80; past this the other side does not speak HTTP."""
MAX_SIZE_LINE_BYTES = 4 * 1024  # of a chunk: some digits, and extensions that nobody sends
MAX_SIZE_DIGITS = 16  # hexadecimal: all of 64 bits
HEAD_END = re.compile(rb"\r?\n\r?\n")  # section 2.2: a line may also end in LF alone
LINE = re.compile(rb"[!#$%&'*+.^`|~\w-]+: [^\r\n\0]*", re.ASCII)
"""A header: a token, and whatever is no line's end. RFC 9110 section 5."""
VERSION = b"HTTP/1."
FIRST_FINAL_STATUS = 200  # below: informational, another head follows
FIRST_REDIRECT_STATUS = 300
SWITCHING_PROTOCOLS = 101
NO_BODY_STATUSES = (204, 304)
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")  # RFC 9110 section 8.6: these tell its length of 0


class HttpError(Exception):
    """The other side does not speak HTTP/1, or not to its end."""


class ReplyHead(NamedTuple):
    """Header names are in lower case; equal ones are joined by commas."""

    status: int
    headers: dict[str, str]
    keeps_connection: bool


def request_head(
    method: str, target: str, host: str, headers: Mapping[str, str], body: bytes
) -> bytes:
    """The request line and headers, up to and with the empty line.

    Values go as UTF-8; bytes that were none, and stand in `headers` as lone surrogates, as
    themselves. Raises ValueError for what could not be read as a header: a line end in a value.
    """
    lines = [b"host: %b" % host.encode(), *map(_line, headers.items())]
    if body or method in METHODS_WITH_BODY:
        lines.append(b"content-length: %d" % len(body))
    if not all(map(LINE.fullmatch, lines)):
        raise ValueError("A header's name or value cannot be sent.")
    return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (
        method.encode("ascii"),
        target.encode("ascii"),
        b"\r\n".join(lines),
    )


def _line(header: tuple[str, str]) -> bytes:
    name, value = header
    return b"%b: %b" % (name.encode(), value.strip().encode("utf-8", "surrogateescape"))


class ReplyReader:
    """One reply out of the bytes of a connection, however they are cut.

    Feed it what the socket gives until `is_over`, and call `end` when the other side has closed.
    A reader is for one reply to one request of `method`.
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._held = b""
        self._body: _Body | None = None
        self._surplus = False
        self.head: ReplyHead | None = None

    @property
    def is_over(self) -> bool:
        return self._body is not None and self._body.is_over

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the reply has come."""
        return self.head is not None or bool(self._held)

    @property
    def is_framed(self) -> bool:
        """Whether the head says where the body ends; otherwise the connection's end is its own."""
        return self._body is not None and not isinstance(self._body, _UnframedBody)

    @property
    def may_keep_connection(self) -> bool:
        """Whether another request may follow on the connection."""
        head = self.head
        return head is not None and head.keeps_connection and self.is_over and not self._surplus

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that are in `data`.

        Raises HttpError; where good bytes stand before the bad ones, at the next call, whatever it
        brings, so that no byte is lost: see `check`.
        """
        self.check()
        if self._body is None:
            data = self._take_head(data)
            if self._body is None:
                return b""
        found, rest = self._body.take(data)
        self._surplus = self._surplus or bool(rest)
        return found

    def check(self) -> None:
        """Raises HttpError where nothing good can follow the bytes that `feed` gave last."""
        if self._body is not None and self._body.failure is not None:
            raise self._body.failure

    def end(self) -> None:
        """The other side has closed the connection. Raises HttpError where the reply is not whole.

        is_over from here on.
        """
        if isinstance(self._body, _UnframedBody):
            self._body.is_over = True
        if not self.is_over:
            raise HttpError("The connection ended before the reply did.")

    def _take_head(self, data: bytes) -> bytes:
        """Read the head if it is whole; returns what is behind it."""
        data = self._held + data
        while (end := HEAD_END.search(data)) is not None:
            head = _parse_head(data[: end.start()])
            data = data[end.end() :]
            if head.status >= FIRST_FINAL_STATUS:
                self.head, self._held = head, b""
                self._body = _body_of(self._method, head)
                return data
        if data[: len(VERSION)] != VERSION[: len(data)]:
            raise HttpError("The reply does not begin with an HTTP/1 status line.")
        if len(data) > MAX_HEAD_BYTES:
            raise HttpError(f"There is no end of a reply's headers in {MAX_HEAD_BYTES} bytes.")
        self._held = data
        return b""


class _Body:
    """How a body is told from what is behind it."""

    is_over = False
    failure: HttpError | None = None
    """What came behind the bytes that were taken last."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """The bytes of the body in `data`, and those that are behind its end."""
        raise NotImplementedError


class _UnframedBody(_Body):
    """Whatever comes until the connection ends."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class _SizedBody(_Body):
    """So many bytes."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.is_over = size == 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        found = data[: self._left]
        self._left -= len(found)
        self.is_over = self._left == 0
        return found, data[len(found) :]


class _ChunkedBody(_Body):
    """Chunk after chunk, each behind a line with its size; RFC 9112 section 7.1."""

    def __init__(self) -> None:
        self._held = b""  # of a line whose end has not come
        self._left = 0  # of the chunk under way
        self._is_behind_chunk = False  # where its line end must come
        self._trailer_bytes: int | None = None  # so far, once the last chunk has come

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        if self._held:
            data, self._held = self._held + data, b""
        found, position = [], 0
        while position < len(data) and not self.is_over:
            if self._left:
                piece = data[position : position + self._left]
                self._left -= len(piece)
                self._is_behind_chunk = not self._left
                position += len(piece)
                found.append(piece)
                continue
            line_end = data.find(b"\n", position)
            if line_end < 0:
                self._hold(data[position:])
                break
            try:
                self._read_line(data[position:line_end].rstrip(b"\r"))
            except HttpError as error:
                if not found:
                    raise
                self.failure = error
                break
            position = line_end + 1
        rest = data[position:] if self.is_over else b""
        return found[0] if len(found) == 1 else b"".join(found), rest

    def _hold(self, line: bytes) -> None:
        if len(line) > MAX_SIZE_LINE_BYTES:
            raise HttpError(f"A line between chunks has no end in {MAX_SIZE_LINE_BYTES} bytes.")
        self._held = line

    def _read_line(self, line: bytes) -> None:
        if self._trailer_bytes is not None:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_HEAD_BYTES:
                raise HttpError(f"There are trailers of over {MAX_HEAD_BYTES} bytes.")
            self.is_over = not line
        elif self._is_behind_chunk:
            if line:
                raise HttpError("A chunk is longer than its size.")
            self._is_behind_chunk = False
        else:
            self._left = _chunk_size(line)
            self._trailer_bytes = None if self._left else 0


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits.isalnum() or len(digits) > MAX_SIZE_DIGITS:
        raise HttpError("A chunk's size is no number.")
    try:
        return int(digits, 16)
    except ValueError:
        raise HttpError("A chunk's size is no number.") from None


def _body_of(method: str, head: ReplyHead) -> _Body:
    """RFC 9112 section 6.3."""
    is_tunnel = method == "CONNECT" and head.status < FIRST_REDIRECT_STATUS
    if method == "HEAD" or is_tunnel or head.status in NO_BODY_STATUSES:
        return _SizedBody(0)
    encoding = head.headers.get("transfer-encoding", "identity").lower()
    if encoding == "chunked":
        return _ChunkedBody()
    if encoding != "identity":
        raise HttpError("The reply has a transfer encoding that was not asked for.")
    lengths = {length.strip() for length in head.headers.get("content-length", "").split(",")}
    if lengths == {""}:
        return _UnframedBody()
    (length,) = lengths if len(lengths) == 1 else ("",)
    if not (length.isascii() and length.isdecimal()):
        raise HttpError("The reply's length is no number.")
    return _SizedBody(int(length))


def _parse_head(head: bytes) -> ReplyHead:
    status_line, *lines = head.decode("latin-1").split("\n")
    version, _, rest = status_line.rstrip("\r").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdecimal()):
        raise HttpError("The reply does not begin with an HTTP/1 status line.")
    if int(status) == SWITCHING_PROTOCOLS:
        raise HttpError("The reply changes to a protocol that was not asked for.")
    headers = _parse_headers(lines)
    is_kept = _keeps_connection(version, headers)
    return ReplyHead(int(status), headers, is_kept)


def _parse_headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t") and name:  # section 5.2: an older way to go on
            headers[name] = f"{headers[name]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip():
            raise HttpError("The reply has a header line that is none.")
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _keeps_connection(version: str, headers: Mapping[str, str]) -> bool:
    if "transfer-encoding" in headers and "content-length" in headers:
        return False  # section 6.1: one of the two may be somebody else's
    wanted = {name.strip() for name in headers.get("connection", "").lower().split(",")}
    return "close" not in wanted and (version != "HTTP/1.0" or "keep-alive" in wanted)
