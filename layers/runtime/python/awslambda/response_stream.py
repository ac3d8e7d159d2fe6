"""The stream that a handler writes to, and the helpers of Node.js's `awslambda`."""

from __future__ import annotations

import functools
import io
from enum import Enum

from awslambda import http1
from awslambda.errors import (
    InvalidStreamingOperation,
    WriteAfterEnd,
    error_type,
    trailer_document,
)
from awslambda.json_encoding import JsonEncoder
from awslambda.runtime_api import HTTP_INTEGRATION, OCTET_STREAM, PRELUDE_END, error_trailers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, BinaryIO, Protocol, TypeVar

    from typing_extensions import Buffer

    HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
    Metadata = Mapping[str, Any]
    Piece = bytes | memoryview

    class Wire(Protocol):
        """Where a stream's bytes go: RuntimeClient, bound to one invocation."""

        def open(self, content_type: str, first: Sequence[Piece]) -> None: ...
        def send(self, pieces: Sequence[Piece]) -> None: ...


STREAMING_MARK = "__awslambda_streaming__"
PIPELINE_READ_BYTES = 65_400
"""Size of one read of a pipeline's file, in bytes. As a chunk it fits one segment of the loopback
interface (65,483 bytes), where the Runtime API is. Two segments, as Node.js's default high-water
mark would need, cost a third more CPU."""
PIECE_ENCODER = JsonEncoder(",", ":")


class _State(Enum):
    IDLE = "nothing has been sent"
    OPEN = "the answer has begun"
    ENDED = "the answer is complete"


def streamify_response(handler: HandlerT) -> HandlerT:
    """Mark `handler(event, response_stream, context)`, plain or async, as one that streams.

    The mark decides, not the event: an event does not say whether its Function URL streams.
    Anything callable can be marked: what takes no attribute (a method, an object with __slots__)
    comes back wrapped.
    """
    if isinstance(handler, (staticmethod, classmethod)):
        return type(handler)(streamify_response(handler.__func__))
    try:
        setattr(handler, STREAMING_MARK, True)
    except Exception:  # noqa: BLE001 -- an object's own __setattr__ may raise anything
        return _wrapped(handler)
    return handler if is_streaming(handler) else _wrapped(handler)


def _wrapped(handler: HandlerT) -> HandlerT:
    @functools.wraps(handler)
    def call(*arguments: Any) -> Any:
        return handler(*arguments)

    return streamify_response(call)  # type: ignore[return-value] # called in the same way


def is_streaming(handler: Callable[..., Any]) -> bool:
    return getattr(handler, STREAMING_MARK, False) is True


class ResponseStream(io.RawIOBase):
    """The body of one answer, as a writable binary file.

    Nothing is sent before the first `write` or `end`. `write` returns once the operating system has
    the bytes, and blocks while Lambda does not read. Not thread-safe. As a context manager it ends
    with the block, unless the block raises.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        self._state = _State.IDLE
        self._content_type = OCTET_STREAM
        self._metadata: Metadata | None = None

    @property
    def begun(self) -> bool:
        """Whether a byte of the answer has been sent."""
        return self._state is not _State.IDLE

    @property
    def ended(self) -> bool:
        """Whether the answer is complete."""
        return self._state is _State.ENDED

    def set_content_type(self, content_type: str) -> None:
        """Set the content type (default application/octet-stream), before the first write."""
        if self._state is not _State.IDLE:
            raise InvalidStreamingOperation(
                "too late to set the content type: the answer has begun; set it before write()"
            )
        if not (content_type.isascii() and content_type.isprintable()):
            raise ValueError(f"content type must be printable ASCII (got {content_type!r})")
        self._content_type = content_type

    def set_http_metadata(self, metadata: Metadata) -> None:
        """Make this an HTTP answer; see HttpResponseStream.from_."""
        self.set_content_type(HTTP_INTEGRATION)
        self._metadata = metadata

    def write(self, data: str | Buffer | Any, /) -> int:
        """Send `data` now: text as UTF-8, bytes unchanged, anything else as JSON.

        Returns the number of bytes. An empty write sends the head and the prelude, unless they
        were sent before. Raises WriteAfterEnd, ResponseStreamBroken, TypeError (None).
        """
        piece = _as_bytes(data)
        self._send(http1.chunk(piece))
        return len(piece)

    async def drain(self) -> None:
        """Let other tasks run. There is nothing to wait for: `write` has sent its bytes."""
        await _Turn()

    def end(self, data: str | Buffer | Any | None = None, /) -> None:
        """Complete the answer, after `data` if given. A second `end()` does nothing."""
        if self._state is _State.ENDED:
            if data is not None:
                raise WriteAfterEnd
            return
        body = [] if data is None else http1.chunk(_as_bytes(data))
        self._send([*body, http1.LAST_CHUNK])
        self._state = _State.ENDED

    def fail(self, error: BaseException) -> None:
        """End a begun answer with error trailers; otherwise do nothing."""
        if self._state is _State.OPEN:
            self._state = _State.ENDED
            self._wire.send([error_trailers(error_type(error), trailer_document(error))])

    def detach_from_invocation(self) -> None:
        """Send nothing more, even if the handler kept this stream: the next answer has the wire."""
        self._state = _State.ENDED

    def writable(self) -> bool:
        return self._state is not _State.ENDED

    def close(self) -> None:
        """End the answer, as closing a file does."""
        if not self.closed:
            self.end()
            super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()

    def __del__(self) -> None:
        """Override RawIOBase's, which closes: an abandoned stream must not look complete."""

    def _send(self, pieces: Sequence[Piece]) -> None:
        if self._state is _State.OPEN:
            if pieces:
                self._wire.send(pieces)
        elif self._state is _State.IDLE:
            first = [*self._prelude(), *pieces]
            self._state = _State.OPEN
            self._wire.open(self._content_type, first)
        else:
            raise WriteAfterEnd

    def _prelude(self) -> Sequence[Piece]:
        if self._metadata is None:
            return []
        return http1.chunk(PIECE_ENCODER.encode(self._metadata) + PRELUDE_END)


class HttpResponseStream:
    """HTTP status, headers and cookies for a streamed answer (Function URL, API Gateway)."""

    @staticmethod
    def from_(response_stream: ResponseStream, metadata: Metadata) -> ResponseStream:
        """Make `response_stream` an HTTP answer and return it.

        metadata: {"statusCode": int, "headers": {name: value}, "cookies": [str]}, each optional,
        sent unchanged with the first write or end, as JSON and eight NUL bytes. The last of
        several calls wins. Raises InvalidStreamingOperation after the first write.
        """
        response_stream.set_http_metadata(metadata)
        return response_stream


def pipeline(source: BinaryIO | Iterable[bytes], response_stream: ResponseStream) -> None:
    """Write all of `source` (a binary file, or any iterable of bytes) and end the stream.

    Each piece is sent as soon as the source yields it. An exception of the source passes through
    and leaves the stream open, so the caller sees a failed answer.
    """
    for piece in _pieces(source):
        response_stream.write(piece)
    response_stream.end()


class _Turn:
    """What asyncio.sleep(0) awaits, without asyncio."""

    def __await__(self) -> Generator[None]:
        yield


def _pieces(source: Any) -> Iterable[bytes]:
    # read1 returns what is available; read would wait for a full buffer.
    read: Callable[[int], bytes] | None = getattr(source, "read1", getattr(source, "read", None))
    if read is None:
        pieces: Iterable[bytes] = source
        return pieces
    return iter(lambda: read(PIPELINE_READ_BYTES), b"")


def _as_bytes(data: Any) -> bytes | memoryview:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return _as_utf8(data)
    if data is None:
        raise TypeError("cannot write None: expected text, bytes or a JSON value")
    try:
        view = memoryview(data)
    except TypeError:
        return PIECE_ENCODER.encode(data)
    return view.cast("B") if view.contiguous else view.tobytes()


def _as_utf8(text: str) -> bytes:
    """Join the halves of a surrogate pair; a half alone becomes U+FFFD, as in Node.js."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
