"""A model's answer, as it comes over one connection."""

from __future__ import annotations

import contextlib
import time

from sluice.errors import SluiceError, UpstreamBroken, UpstreamError
from sluice.upstream.headers import reply_headers
from sluice.upstream.refusal import decoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from sluice.http.http1 import ReplyHead
    from sluice.upstream.exchange import Exchange

MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
MAX_BYTES_AFTER_END = 16 * 1024  # what may follow an answer's end: a chunk's, a blank line
TIMEOUT_AFTER_END_S = 0.2  # it comes with the end, or the connection is not worth keeping
REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid")
"""What providers call the id that they find a request by: OpenAI, Azure, Bedrock."""


class UpstreamAnswer:
    """A reply whose head is there. A context manager: leaving it ends the request upstream.

    mends_stream_end: see Provider.
    """

    def __init__(self, head: ReplyHead, exchange: Exchange) -> None:
        self.status = head.status
        self.headers = reply_headers(head.headers)
        """What of the reply's headers is for the client; names in lower case."""
        self.request_id = _request_id(head.headers)
        """What the provider calls this request, for the log; None where it does not say."""
        self.mends_stream_end = False
        self._content_encoding = head.headers.get("content-encoding", "")
        self._exchange = exchange
        self._first = b""

    def __enter__(self) -> UpstreamAnswer:  # noqa: PYI034 -- `typing` is kept out of small modules
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exchange.end()

    def wait_for_first_byte(self) -> None:
        """Return when the body has begun or ended: until then another may be asked instead.

        Raises UpstreamSilent, UpstreamBroken, DeadlineReached, and the reason of a stop signal.
        """
        self._first = self._exchange.wait_for_first_bytes()
        if not self._first and not self._exchange.is_framed:
            # Where a body ends with its connection, none at all is one that was cut short.
            raise UpstreamBroken("The upstream ended the connection before its answer.")

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body, each piece as soon as it is there, as the upstream sent them.

        Raises as wait_for_first_byte.
        """
        data, self._first = self._first, b""
        while data:
            yield data
            data = self._exchange.read_next()

    def error_body(self) -> bytes:
        """The body of an error, as far as it comes; not more than MAX_ERROR_BODY_BYTES."""
        body = bytearray()
        with contextlib.suppress(UpstreamError):
            body += self._exchange.wait_for_first_bytes()
            while len(body) < MAX_ERROR_BODY_BYTES and (data := self._exchange.read_next()):
                body += data
        sent = bytes(body[:MAX_ERROR_BODY_BYTES])
        return decoded(sent, self._content_encoding, MAX_ERROR_BODY_BYTES)

    def finish(self) -> None:
        """Read what is left behind the end of an answer, so that its connection can be kept.

        For answers that were read up to what they say is their end, and not to that of the body.
        """
        end, left = time.monotonic() + TIMEOUT_AFTER_END_S, MAX_BYTES_AFTER_END
        with contextlib.suppress(SluiceError):
            while left > 0 and (seconds := end - time.monotonic()) > 0:
                data = self._exchange.read(seconds, lambda: "The upstream did not end its answer.")
                if not data:
                    return
                left -= len(data)


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in REQUEST_IDS if name in headers), None)
