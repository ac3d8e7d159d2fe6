"""The part of HTTP/1.1 that a client of the Lambda Runtime API needs, without any I/O.

Bytes in, values out (`ReplyParser`); values in, bytes out (the functions). RFC 9112.
"""

from __future__ import annotations

from types import SimpleNamespace

from awslambda.errors import RuntimeApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HEAD_BYTES = 256 * 1024
"""Maximum size of a reply's headers, in bytes. Client context and Cognito identity are headers; AWS
documents no limit, HTTP servers stop at 8 to 80 KB. Anything longer is not HTTP."""

LAST_CHUNK = b"0\r\n\r\n"
NO_BODY_STATUSES = (204, 304)  # RFC 9112 section 6.3
FIRST_FINAL_STATUS = 200  # below: informational, another head follows


class Reply(SimpleNamespace):
    """A complete HTTP reply. Header names are in lower case; the last of equal names wins."""

    def __init__(
        self, status: int, headers: dict[str, str], body: bytes, *, keep_alive: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The request line and headers, including the empty line."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def chunk(data: bytes | memoryview) -> list[bytes | memoryview]:
    """One chunk around the data, which is not copied; nothing if the data is empty."""
    return [b"%x\r\n" % len(data), data, b"\r\n"] if data else []


def last_chunk(trailers: Iterable[tuple[str, str]]) -> bytes:
    """The end of a chunked body, with trailers."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return b"0\r\n" + lines.encode("latin-1") + b"\r\n"


class ReplyParser:
    """Parses one reply from a connection's bytes, however they are split.

    Feed it what the socket returns until it returns the reply; `feed(b"")` means that the peer has
    closed the connection. Each reply needs a new parser.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Reply | None = None  # its body is still to come
        self._chunked = _ChunkedBody()

    def feed(self, data: bytes) -> Reply | None:
        """Take bytes; return the reply once it is complete.

        Raises RuntimeApiError if the bytes are not HTTP or end too early.
        """
        self._buffer += data
        if self._head is None:
            self._head = self._take_head()
        if self._head is not None:
            body = self._take_body(self._head, closed=not data)
            if body is not None:
                self._head.body = body
                return self._head
        if not data:
            raise RuntimeApiError(f"reply cut short after {len(self._buffer)} unread bytes")
        return None

    def _take_head(self) -> Reply | None:
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = _parse_head(self._buffer[:end].decode("utf-8", "surrogateescape"))
            del self._buffer[: end + 4]
            if head.status >= FIRST_FINAL_STATUS:
                return head
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise RuntimeApiError(f"reply headers exceed {MAX_HEAD_BYTES} bytes")
        return None

    def _take_body(self, head: Reply, *, closed: bool) -> bytes | None:
        if head.status in NO_BODY_STATUSES:
            return b""
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked.take_from(self._buffer)
        if "content-length" in head.headers:
            length = _number(head.headers["content-length"], 10)
            del self._buffer[length:]
            return bytes(self._buffer) if len(self._buffer) == length else None
        return bytes(self._buffer) if closed else None


class _ChunkedBody:
    """The body of a chunked message, taken from a buffer as it fills (RFC 9112 section 7.1)."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._in_trailers = False

    def take_from(self, buffer: bytearray) -> bytes | None:
        while not self._in_trailers:
            line_end = buffer.find(b"\r\n")
            if line_end < 0:
                return None
            size = _number(bytes(buffer[:line_end]).partition(b";")[0].decode("latin-1"), 16)
            start = line_end + 2
            if size and len(buffer) < start + size + 2:
                return None
            self._in_trailers = size == 0
            self._body += buffer[start : start + size]
            del buffer[: start + size + (2 if size else 0)]
        return self._take_trailers(buffer)

    def _take_trailers(self, buffer: bytearray) -> bytes | None:
        while (line_end := buffer.find(b"\r\n")) >= 0:
            del buffer[: line_end + 2]
            if line_end == 0:
                return bytes(self._body)
        return None


def _parse_head(head: str) -> Reply:
    status_line, *lines = head.split("\r\n")
    version, _, rest = status_line.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise RuntimeApiError("reply does not begin with an HTTP/1 status line")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" and (version != "HTTP/1.0" or connection == "keep-alive")
    return Reply(int(rest[:3]), headers, b"", keep_alive=keep_alive)


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise RuntimeApiError("reply has an invalid body length")
    return number
