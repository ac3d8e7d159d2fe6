"""A provider's reply."""

from __future__ import annotations

import contextlib
import time

from sluice.errors import UpstreamBroken, UpstreamError
from sluice.http.errors import TransportError
from sluice.trace import NO_SPAN
from sluice.upstream.headers import reply_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from sluice.errors import SluiceError
    from sluice.upstream.transports import Reply

MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
MAX_ERROR_WAIT_S = 2.0
"""Maximum time for the rest of an error's body, in seconds: what has come by then is reported."""
MAX_BYTES_AFTER_END = 16 * 1024  # after an answer's end: the last chunk, a blank line
TIMEOUT_AFTER_END_S = 0.2  # later, the connection is not worth keeping
MAX_WAIT_AFTER_END_S = 1.0
"""Maximum wait after the end mark of a stream that is passed on, in seconds: usage may follow it,
but some providers never close the connection."""
FIRST_REDIRECT_STATUS = 300
REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid")
"""The header in which a provider names its own request id: OpenAI, Azure, Bedrock."""


class UpstreamReply:
    """A reply whose headers are there. A context manager: leaving it ends the request upstream.

    to_sluice_error: what a failure of the transport means. url_variable: see Target.
    mends_stream_end: see Provider.
    """

    is_recorded = False
    """Whether what follows the end of an answer counts, too."""
    is_kept = False
    """Whether it is from the answer cache, and all there."""

    def __init__(
        self,
        reply: Reply,
        to_sluice_error: Callable[[TransportError], SluiceError],
        url_variable: str,
    ) -> None:
        self.status = reply.status
        self.headers = reply_headers(reply.headers)
        """The headers that the client may see; names in lower case."""
        self.request_id = _request_id(reply.headers)
        """The provider's name for this request, for the log; None where it sends none."""
        self.mends_stream_end = False
        self.span = NO_SPAN
        """The part of the trace that ends with this reply."""
        self._has_ended = False
        self._content_encoding = reply.headers.get("content-encoding", "")
        self._reply = reply
        self._to_sluice_error = to_sluice_error
        self._url_variable = url_variable

    def __enter__(self) -> UpstreamReply:  # noqa: PYI034 -- `typing` is kept out of small modules
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reply.close()
        self.span.end(error)

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
        UpstreamError for a redirect or an unknown status.
        """
        if self.status < FIRST_REDIRECT_STATUS:
            return
        from sluice.upstream.failures import odd_status, refusal  # noqa: PLC0415 -- most requests succeed

        if (failure := odd_status(self.status, self._url_variable)) is not None:
            raise failure
        try:
            body, fault = self._error_body(), ""
        except UpstreamBroken as error:
            body, fault = b"", error.message
        raise refusal(self.status, self.headers, body, fault)

    def end_soon(self) -> None:
        """The answer's own end mark has come: `chunks` waits only briefly for what follows it."""
        self._has_ended = True

    def finish(self) -> None:
        """Read what follows the end of an answer, so that its connection can be kept.

        For answers that were read up to their own last event, and not to the end of the body.
        """
        for _ in self.rest():
            pass

    def rest(self) -> Iterator[bytes]:
        """What follows at once the point up to which an answer was read."""
        return self._rest(TIMEOUT_AFTER_END_S)

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
        """The body of an error, as far as it comes; at most MAX_ERROR_BODY_BYTES.

        Raises UpstreamBroken if it is compressed in another way than Sluice knows.
        """
        body = self._sent_error_body()
        if not (self._content_encoding and body):
            return body
        from sluice.upstream.decompression import decompressed_body  # noqa: PLC0415 -- few servers do

        return decompressed_body(self._content_encoding, body, MAX_ERROR_BODY_BYTES)

    def _sent_error_body(self) -> bytes:
        body = bytearray()
        try:
            self._reply.wait_for_body()
            end = time.monotonic() + MAX_ERROR_WAIT_S
            while len(body) < MAX_ERROR_BODY_BYTES and (wait := end - time.monotonic()) > 0:
                data = self._reply.read(wait)
                if not data:
                    break
                body += data
        except TransportError as error:
            failure = self._to_sluice_error(error)
            if not isinstance(failure, UpstreamError):
                raise failure from error.__cause__
        return bytes(body[:MAX_ERROR_BODY_BYTES])


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in REQUEST_IDS if name in headers), None)
