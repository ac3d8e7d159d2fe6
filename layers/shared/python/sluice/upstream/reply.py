"""A provider's reply, and what a transport's failures mean for the client."""

from __future__ import annotations

import contextlib
import time

from sluice.deadline import deadline_reached
from sluice.errors import (
    SluiceError,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.http.transport import (
    CONNECT,
    FIRST_BYTE,
    NEXT_BYTE,
    ReplyBroken,
    Stopped,
    TimedOut,
    TransportError,
)
from sluice.upstream.headers import reply_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream.transports import Reply

MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
MAX_BYTES_AFTER_END = 16 * 1024  # after an answer's end: the last chunk, a blank line
TIMEOUT_AFTER_END_S = 0.2  # later, the connection is not worth keeping
MAX_WAIT_AFTER_END_S = 1.0
"""Maximum wait after the end mark of a stream that is passed on, in seconds: usage may follow it,
but some providers never close the connection."""
FIRST_REDIRECT_STATUS = 300
FIRST_ERROR_STATUS = 400
REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid")
"""The header in which a provider names its own request id: OpenAI, Azure, Bedrock."""


class UpstreamReply:
    """A reply whose headers are there. A context manager: leaving it ends the request upstream.

    to_sluice_error: what a failure of the transport means. mends_stream_end: see Provider.
    """

    def __init__(
        self, reply: Reply, to_sluice_error: Callable[[TransportError], SluiceError]
    ) -> None:
        self.status = reply.status
        self.headers = reply_headers(reply.headers)
        """The headers that the client may see; names in lower case."""
        self.request_id = _request_id(reply.headers)
        """The provider's name for this request, for the log; None where it sends none."""
        self.mends_stream_end = False
        self._has_ended = False
        self._content_encoding = reply.headers.get("content-encoding", "")
        self._reply = reply
        self._to_sluice_error = to_sluice_error

    def __enter__(self) -> UpstreamReply:  # noqa: PYI034 -- `typing` is kept out of small modules
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reply.close()

    def wait_for_first_byte(self) -> None:
        """Return when the body has begun or ended. Until then a retry is possible.

        Raises UpstreamSilent, UpstreamBroken, DeadlineReached, and the reason of a stop signal.
        """
        try:
            self._reply.wait_for_body()
        except TransportError as error:
            raise self._to_sluice_error(error) from error.__cause__

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body, unchanged, each piece as soon as it has come.

        Raises as wait_for_first_byte.
        """
        read = self._reply.read
        try:
            while data := read():
                yield data
                if self._has_ended:
                    yield from self._rest(MAX_WAIT_AFTER_END_S)
                    return
        except TransportError as error:
            raise self._to_sluice_error(error) from error.__cause__

    def check_status(self) -> None:
        """Return if the status says that an answer follows.

        Raises UpstreamRefused, whose body still needs mask_keys before a client sees it, and
        UpstreamError for a redirect; both as wait_for_first_byte.
        """
        if self.status < FIRST_REDIRECT_STATUS:
            return
        if self.status < FIRST_ERROR_STATUS:
            raise UpstreamError(
                f"The upstream redirects (status {self.status}): OPENAI_BASE_URL must be the"
                " address it redirects to."
            )
        from sluice.upstream.error_words import reported_error  # noqa: PLC0415 -- most requests succeed

        headers = {name: v for name, v in self.headers.items() if name != "content-encoding"}
        body = self._error_body()
        raise UpstreamRefused(self.status, headers, body, reported_error(body))

    def end_soon(self) -> None:
        """The answer's own end mark has come: `chunks` waits only briefly for what follows it."""
        self._has_ended = True

    def finish(self) -> None:
        """Read what follows the end of an answer, so that its connection can be kept.

        For answers that were read up to their own last event, and not to the end of the body.
        """
        for _ in self._rest(TIMEOUT_AFTER_END_S):
            pass

    def _rest(self, seconds: float) -> Iterator[bytes]:
        """What follows the end of an answer. However that ends, the answer is whole."""
        end, left = time.monotonic() + seconds, MAX_BYTES_AFTER_END
        with contextlib.suppress(TransportError):
            while left > 0 and (wait := end - time.monotonic()) > 0:
                data = self._reply.read(wait)
                if not data:
                    return
                left -= len(data)
                yield data

    def _error_body(self) -> bytes:
        """The body of an error, as far as it comes; at most MAX_ERROR_BODY_BYTES."""
        body = bytearray()
        with contextlib.suppress(UpstreamError):
            self.wait_for_first_byte()
            for data in self.chunks():
                body += data
                if len(body) >= MAX_ERROR_BODY_BYTES:
                    break
        sent = bytes(body[:MAX_ERROR_BODY_BYTES])
        if not self._content_encoding:
            return sent
        from sluice.upstream.decompression import decompressed_body  # noqa: PLC0415 -- few servers do

        return decompressed_body(self._content_encoding, sent, MAX_ERROR_BODY_BYTES)


def sluice_error(
    error: TransportError, settings: Settings, stop_signal: StopSignal | None
) -> SluiceError:
    """What a failure of the transport means for the client that waits for the model."""
    if isinstance(error, Stopped) and stop_signal is not None and stop_signal.reason is not None:
        return stop_signal.reason
    if isinstance(error, TimedOut):
        return _timeout_error(error.wait, settings)
    if isinstance(error, ReplyBroken):
        return UpstreamBroken("The upstream ended the connection in the middle of its answer.")
    return UpstreamUnreachable(
        "Cannot connect to the upstream. Check that OPENAI_BASE_URL (or PROXY) is running and"
        " reachable."
    )


def _timeout_error(wait: str, settings: Settings) -> SluiceError:
    if wait == CONNECT:
        found = f"for {settings.connect_timeout_s:g} s (UPSTREAM_CONNECT_TIMEOUT)"
        return UpstreamUnreachable(f"There was no connection to the upstream {found}.")
    if wait == FIRST_BYTE:
        found = f"for {settings.first_byte_timeout_s:g} s (UPSTREAM_FIRST_BYTE_TIMEOUT)"
        return UpstreamSilent(f"The upstream sent no first byte {found}.")
    if wait == NEXT_BYTE:
        found = f"for {settings.read_timeout_s:g} s (UPSTREAM_READ_TIMEOUT)"
        return UpstreamSilent(f"The upstream paused in its answer {found}.")
    return deadline_reached()


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in REQUEST_IDS if name in headers), None)
