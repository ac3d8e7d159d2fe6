"""HTTP/1.1 for a client (no I/O): requests out, replies in. RFC 9112.

Functions use nothing else to send requests: http.client would be most of their start.
"""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    _Body: TypeAlias = "_UnframedBody | _SizedBody | _ChunkedBody"

MAX_HEAD_BYTES = 64 * 1024
"""Maximum size of a reply's status line and headers, and of its trailers. Providers send one or two
KB, and servers accept 8 to 80."""
MAX_SIZE_LINE_BYTES = 4 * 1024  # a chunk's size: some digits, and extensions that nobody sends
MAX_INFORMATIONAL_REPLIES = 32
"""Maximum number of informational replies before the final one. Servers send one or two; 102 every
few seconds would be some more."""
MAX_SIZE_DIGITS = 16  # the size of a chunk or a body: 64 bits, or ten million gigabytes
HEXADECIMAL = b"0123456789ABCDEFabcdef"
HEAD_END = re.compile(rb"\r?\n\r?\n")  # section 2.2: a line may also end in LF alone
HEAD_END_BYTES = 4
STATUS_LINE = re.compile(rb"(HTTP/1\.\d) ([1-9]\d\d)(?: [^\r\0]*)?")
LINE = re.compile(rb"[!#$%&'*+.^`|~\w-]+:[^\r\n\0]*")
"""A header: a token, and anything but a line end. RFC 9110 section 5."""
SIGNS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Those of a token."""
SPACE = " \t"  # HTTP's; Python would also strip the last bytes of some letters in UTF-8
VERSION = b"HTTP/1."
FIRST_FINAL_STATUS = 200  # below: informational, another head follows
FIRST_REDIRECT_STATUS = 300
SWITCHING_PROTOCOLS = 101
NO_BODY_STATUSES = (204, 304)
NOT_HTTP_1 = {
    b"PRI * HTTP/2": "it is HTTP/2",
    b"HTTP/2": "it is HTTP/2",
    b"\x15\x03": "it is TLS, so the URL must start with https://",
}
"""How replies of other protocols begin, and what to say of them."""
SETTINGS_FRAME = 4  # type of HTTP/2's first frame, in its fourth byte. RFC 9113 section 3.4
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")  # RFC 9110 section 8.6: send a length of 0 too
OWN_HEADERS = frozenset(("host", "content-length", "transfer-encoding"))
"""Headers that `request_head` adds: a second one could turn one request into two."""


class HttpError(Exception):
    """What came is not a reply of HTTP/1. Its text says what "it" is, and quotes nothing of it."""


class IncompleteError(HttpError):
    """The other side ended its reply in the middle."""


class ReplyHead(NamedTuple):
    """Header names are in lower case; values of one name are joined by commas."""

    status: int
    headers: dict[str, str]
    keeps_connection: bool


def request_head(
    method: str, target: str, host: str, headers: Mapping[str, str], body: bytes
) -> bytes:
    """The request line and headers, with the empty line.

    Values are sent as UTF-8; lone surrogates, which stand for bytes that are not UTF-8, as those
    bytes. Raises ValueError for what a server would misread: a line end in a value, a space in the
    target, a header of OWN_HEADERS.
    """
    is_visible = target.isascii() and target.isprintable() and " " not in target
    if not (method and target and is_visible) or method.strip(SIGNS):
        raise ValueError("A request's method or target cannot be sent.")
    line = f"{method} {target} HTTP/1.1".encode("ascii")
    lines = [b"host: %b" % host.encode(), *map(_line, headers.items())]
    if body or method in METHODS_WITH_BODY:
        lines.append(b"content-length: %d" % len(body))
    if not all(map(LINE.fullmatch, lines)) or not OWN_HEADERS.isdisjoint(map(str.lower, headers)):
        raise ValueError("A header's name or value cannot be sent.")
    return b"%b\r\n%b\r\n\r\n" % (line, b"\r\n".join(lines))


def is_body_read(method: str, body: bytes, status: int) -> bool:
    """Whether a server that replied with this status has read the request's body.

    One that has not takes it for the next request: then the reply to that one would be another's.
    Servers read no body where they expect none, nor where they refuse a request by its headers.
    """
    has_succeeded = FIRST_FINAL_STATUS <= status < FIRST_REDIRECT_STATUS
    return not body or (method in METHODS_WITH_BODY and has_succeeded)


def _line(header: tuple[str, str]) -> bytes:
    name, value = header
    if ":" in name:
        raise ValueError("A header's name has a colon.")
    return b"%b: %b" % (name.encode(), value.strip().encode("utf-8", "surrogateescape"))


class ReplyReader:
    """Reads one reply from the bytes of a connection, however they are cut.

    Feed it what the socket returns until `is_over`. Call `end` when the other side has closed.
    method: of the request.
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._held = b""
        self._informational = 0
        self._body: _Body | None = None
        self._surplus = False
        self.failure: HttpError | None = None
        """What is wrong after the bytes that `feed` returned last: it raises this next."""
        self.head: ReplyHead | None = None
        self.has_begun = False
        """Whether a byte of a reply has come, informational replies included."""

    @property
    def is_over(self) -> bool:
        return self._body is not None and self._body.is_over

    @property
    def is_framed(self) -> bool:
        """Whether the head says where the body ends; otherwise it ends with the connection."""
        return self._body is not None and not isinstance(self._body, _UnframedBody)

    @property
    def length(self) -> int | None:
        """Bytes of the body that are yet to come, if its head says how many."""
        return self._body.left if isinstance(self._body, _SizedBody) else None

    @property
    def allows_another(self) -> bool:
        """Whether the head lets another reply follow on the connection."""
        head = self.head
        if head is None or not head.keeps_connection or self._may_be_followed_by_a_body(head):
            return False
        return self.is_framed

    @property
    def may_keep_connection(self) -> bool:
        """Whether another request may follow on the connection now."""
        return self.allows_another and self.is_over and not self._surplus

    def _may_be_followed_by_a_body(self, head: ReplyHead) -> bool:
        """Whether the head ends the reply and some servers send a body all the same."""
        if self._method == "HEAD":
            return True
        length = head.headers.get("content-length", "0")
        has_framing = length != "0" or "transfer-encoding" in head.headers
        return has_framing and head.status in NO_BODY_STATUSES

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that are in `data`.

        Raises HttpError, and again on each call. If good bytes precede the bad ones, it returns
        them and raises on the next call, so that no byte is lost: see `failure`.
        """
        if self.failure is not None:
            raise self.failure
        self.has_begun = self.has_begun or bool(data)
        try:
            return self._take(data)
        except HttpError as error:
            self.failure = error
            raise

    def end(self) -> None:
        """The other side has closed the connection. Raises HttpError if the reply is incomplete.

        `is_over` from here on.
        """
        if isinstance(self._body, _UnframedBody):
            self._body.is_over = True
        if not self.is_over:
            raise IncompleteError("the connection ended before the reply did")

    def _take(self, data: bytes) -> bytes:
        if self._body is None:
            data = self._take_head(data)
            if self._body is None:
                return b""
        found, rest = self._body.take(data)
        self._surplus = self._surplus or bool(rest)
        self.failure = self._body.failure
        if self.failure is not None and not found:
            raise self.failure
        return found

    def _take_head(self, data: bytes) -> bytes:
        """Read the head if it is complete; returns what follows it."""
        # All but a part of the end has been searched, maybe once per byte.
        start = max(0, len(self._held) - HEAD_END_BYTES + 1)
        data = self._held + data
        while (end := HEAD_END.search(data, start)) is not None and end.start() <= MAX_HEAD_BYTES:
            head = _parse_head(data[: end.start()])
            data, start = data[end.end() :], 0
            if head.status >= FIRST_FINAL_STATUS:
                self.head, self._held = head, b""
                self._body = _body_of(self._method, head)
                return data
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL_REPLIES:
                raise HttpError(f"it has over {MAX_INFORMATIONAL_REPLIES} informational heads")
        if data[: len(VERSION)] != VERSION[: len(data)]:
            raise _not_http_1(data)
        if len(data) >= MAX_HEAD_BYTES + HEAD_END_BYTES:
            raise HttpError(f"its headers have more than {MAX_HEAD_BYTES} bytes")
        self._held = data
        return b""


# Body framing. `take` returns the bytes of the body in `data`, and those after its end. `failure`
# is what is wrong after the bytes that were taken last.


class _UnframedBody:
    """Everything until the connection ends."""

    is_over = False
    failure = None

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class _SizedBody:
    """A fixed number of bytes."""

    failure = None

    def __init__(self, size: int) -> None:
        self.left = size
        self.is_over = size == 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        found = data[: self.left]
        self.left -= len(found)
        self.is_over = self.left == 0
        return found, data[len(found) :]


class _ChunkedBody:
    """Chunks, each after a line with its size. RFC 9112 section 7.1."""

    def __init__(self) -> None:
        self.is_over = False
        self.failure: HttpError | None = None
        self._held = b""  # the beginning of a line
        self._left = 0  # bytes of the current chunk
        self._is_behind_chunk = False  # a line end must come
        self._is_in_trailers = False  # the last chunk has come
        self._trailer_bytes = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        if self._held:
            data, self._held = self._held + data, b""
        elif not (self._left or self._is_behind_chunk or self._is_in_trailers):
            whole = _whole_chunk(data)
            if whole:
                return whole, b""
        found, position = [], 0
        while position < len(data) and not self.is_over:
            if self._left:
                piece = data[position : position + self._left]
                self._left -= len(piece)
                self._is_behind_chunk = not self._left
                position += len(piece)
                found.append(piece)
                continue
            try:
                position = self._take_line(data, position)
            except HttpError as error:
                self.failure = error
                break
        rest = data[position:] if self.is_over else b""
        return found[0] if len(found) == 1 else b"".join(found), rest

    def _take_line(self, data: bytes, start: int) -> int:
        """Read the line at `start`, or hold its beginning; returns its end."""
        end = data.find(b"\n", start)
        line = data[start:] if end < 0 else data[start:end]
        if len(line) > MAX_SIZE_LINE_BYTES:
            raise HttpError(f"a line between chunks has no end in {MAX_SIZE_LINE_BYTES} bytes")
        if self._is_behind_chunk and line not in (b"", b"\r"):
            raise HttpError("a chunk is longer than its size")
        if end < 0:
            self._held = line
            return len(data)
        self._read_line(line.removesuffix(b"\r"))
        return end + 1

    def _read_line(self, line: bytes) -> None:
        if self._is_in_trailers:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_HEAD_BYTES:
                raise HttpError(f"its trailers have more than {MAX_HEAD_BYTES} bytes")
            self.is_over = not line
        elif self._is_behind_chunk:
            self._is_behind_chunk = False
        else:
            self._left = chunk_size(line)
            self._is_in_trailers = not self._left


def _whole_chunk(data: bytes) -> bytes:
    """The chunk, if `data` is exactly one, as providers send it; otherwise nothing."""
    size_end = data.find(b"\r\n", 0, MAX_SIZE_DIGITS + len(b"\r\n"))
    digits = data[: max(size_end, 0)]
    if not digits or digits.strip(HEXADECIMAL) or not data.endswith(b"\r\n"):
        return b""
    chunk = data[size_end + 2 : -2]
    return chunk if len(chunk) == int(digits, 16) else b""


def chunk_size(line: bytes) -> int:
    """The number of bytes in the chunk after this line. Raises HttpError."""
    digits = line.partition(b";")[0].rstrip(SPACE.encode())
    if not 0 < len(digits) <= MAX_SIZE_DIGITS or digits.strip(HEXADECIMAL):
        raise HttpError("a chunk's size is not a number")
    return int(digits, 16)


def _body_of(method: str, head: ReplyHead) -> _Body:
    """RFC 9112 section 6.3."""
    is_tunnel = method == "CONNECT" and head.status < FIRST_REDIRECT_STATUS
    if method == "HEAD" or is_tunnel or head.status in NO_BODY_STATUSES:
        return _SizedBody(0)
    encoding = head.headers.get("transfer-encoding", "identity").lower()
    if encoding == "chunked":
        return _ChunkedBody()
    if encoding != "identity":
        raise HttpError("its transfer encoding is not chunked, once and alone")
    if "content-length" not in head.headers:
        return _UnframedBody()
    lengths = {length.strip(SPACE) for length in head.headers["content-length"].split(",")}
    (length,) = lengths if len(lengths) == 1 else ("",)
    if not (length.isascii() and length.isdecimal() and len(length) <= MAX_SIZE_DIGITS):
        raise HttpError("its content-length is not one number")
    return _SizedBody(int(length))


def _parse_head(head: bytes) -> ReplyHead:
    if b"\n " in head or b"\n\t" in head:  # section 5.2: an older way to continue a line
        head = re.sub(rb"\r?\n[ \t]+", b" ", head)
    first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    status_line = STATUS_LINE.fullmatch(first)
    if status_line is None:
        raise _not_http_1(first)
    status = int(status_line[2])
    if status == SWITCHING_PROTOCOLS:
        raise HttpError("its status 101 switches to another protocol")
    headers = _parse_headers(lines)
    return ReplyHead(status, headers, _keeps_connection(status_line[1], headers))


def _not_http_1(start: bytes) -> HttpError:
    if start[3:4] == bytes((SETTINGS_FRAME,)) and start[:2] == bytes(2):
        start = b"HTTP/2"
    known = (said for begins, said in NOT_HTTP_1.items() if start.startswith(begins))
    return HttpError(next(known, "it does not begin with a status line of HTTP/1"))


def _parse_headers(lines: Iterable[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        if not LINE.fullmatch(line):
            line = _without_blanks_before_colon(line)  # noqa: PLW2901 -- the same line
        name, _, value = line.decode("latin-1").partition(":")
        name, value = name.lower(), value.strip(SPACE)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _without_blanks_before_colon(line: bytes) -> bytes:
    """Proxies remove them from replies: section 5.1. Raises HttpError if more is wrong."""
    name, colon, value = line.partition(b":")
    line = name.rstrip(SPACE.encode()) + colon + value
    if not LINE.fullmatch(line):
        fault = "is invalid" if colon else "has no colon"
        raise HttpError(f"one of its header lines {fault}")
    return line


def _keeps_connection(version: bytes, headers: Mapping[str, str]) -> bool:
    is_old = version == b"HTTP/1.0"
    if "transfer-encoding" in headers and (is_old or "content-length" in headers):
        return False  # section 6.1: the other side may count differently
    wanted = {name.strip(SPACE) for name in headers.get("connection", "").lower().split(",")}
    return "close" not in wanted and (not is_old or "keep-alive" in wanted)
