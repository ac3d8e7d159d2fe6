"""A model's answer, as it comes over one connection."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from urllib3.exceptions import HTTPError, ReadTimeoutError

from sluice.deadline import Alarm, Deadline, reached
from sluice.errors import SluiceError, UpstreamBroken, UpstreamError, UpstreamSilent
from sluice.header_rules import reply_headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import requests

    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream_connection import ConnectionWatch

READ_BYTES = 64 * 1024  # at most this much of what has come, at once; never waited for
MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
MAX_BYTES_AFTER_END = 16 * 1024  # what may follow an answer's end: a chunk's, a blank line
TIMEOUT_AFTER_END_S = 0.2  # it comes with the end, or the connection is not worth keeping
MIN_TIMEOUT_S = 0.001  # 0 would not wait at all, not even for what is there
NO_CONTENT = 204
REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid")
"""What providers call the id that they find a request by: OpenAI, Azure, Bedrock."""


class Asking:
    """One request under way, which the deadline or a signal may stop until it has ended."""

    def __init__(self, watch: ConnectionWatch, deadline: Deadline, stop_signal: StopSignal) -> None:
        self.watch = watch
        self._stop_signal = stop_signal
        seconds = deadline.seconds_left()
        watch.begin()
        stop_signal.listen(watch.stop)
        self._alarm = Alarm(seconds, partial(watch.stop, reached()))

    def end(self) -> None:
        """Nothing stops the connection any more: it may serve the next request."""
        self._alarm.cancel()
        self._stop_signal.forget(self.watch.stop)
        self.watch.end()


class UpstreamAnswer:
    """A reply whose head is there. A context manager: leaving it ends the request upstream.

    mends_stream_end: see Provider.
    """

    def __init__(self, response: requests.Response, asking: Asking, settings: Settings) -> None:
        self.status = response.status_code
        self.headers = reply_headers(response.headers)
        """What of the reply's headers is for the client; names in lower case."""
        self.request_id = _request_id(response)
        """What the provider calls this request, for the log; None where it does not say."""
        self.mends_stream_end = False
        self._response = response
        self._asking = asking
        self._watch = asking.watch
        self._settings = settings
        self._silence = _silence_before(settings)
        self._first = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._asking.end()
        self._response.close()

    def wait_for_first_byte(self) -> None:
        """Return when the body has begun or ended: until then another may be asked instead.

        Raises UpstreamSilent, UpstreamBroken, DeadlineReached, and the reason of a stop signal.
        """
        waited = time.monotonic() - self._watch.asked_at  # for the head
        left = self._settings.first_byte_timeout_s - waited
        self._watch.set_timeout(max(left, MIN_TIMEOUT_S))
        self._first = self._read()
        if not self._first and not self._may_be_empty():
            raise UpstreamBroken("The upstream ended the connection before its answer.")
        self._silence = _silence_between(self._settings)
        self._watch.set_timeout(self._settings.read_timeout_s)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body, each piece as soon as it is there, as the upstream sent them.

        Raises as wait_for_first_byte.
        """
        data, self._first = self._first, b""
        while data:
            yield data
            data = self._read()

    def error_body(self) -> bytes:
        """The body of an error, as far as it comes; not more than MAX_ERROR_BODY_BYTES."""
        body = b""
        with contextlib.suppress(UpstreamError):
            while len(body) < MAX_ERROR_BODY_BYTES and (data := self._read(decode=True)):
                body += data
        return body[:MAX_ERROR_BODY_BYTES]

    def finish(self) -> None:
        """Read what is left behind the end of an answer, so that its connection can be kept.

        For answers that were read up to what they say is their end, and not to that of the body.
        """
        self._watch.set_timeout(TIMEOUT_AFTER_END_S)
        end, left = time.monotonic() + TIMEOUT_AFTER_END_S, MAX_BYTES_AFTER_END
        with contextlib.suppress(SluiceError):
            while left > 0 and time.monotonic() < end and (data := self._read()):
                left -= len(data)

    def _may_be_empty(self) -> bool:
        """Whether the head says how long the body is: what ends with the connection has one.

        http.client takes a head that was cut short for a whole one.
        """
        headers = self._response.headers
        length, encoding = headers.get("content-length", ""), headers.get("transfer-encoding", "")
        is_framed = length.strip().isdecimal() or "chunked" in encoding.lower()
        return is_framed or self.status == NO_CONTENT or self._response.request.method == "HEAD"

    def _read(self, *, decode: bool = False) -> bytes:
        raw: Any = self._response.raw
        try:
            data: bytes = raw.read1(READ_BYTES, decode_content=decode)
        except (HTTPError, OSError) as error:
            if self._watch.stopped is not None:
                raise self._watch.stopped from None
            raise self._broken(error) from error
        if self._watch.stopped is not None:  # then what was read may end anywhere
            raise self._watch.stopped
        return data

    def _broken(self, error: Exception) -> SluiceError:
        if isinstance(error, ReadTimeoutError):
            return UpstreamSilent(self._silence)
        return UpstreamBroken("The upstream ended the connection in the middle of its answer.")


def _request_id(response: requests.Response) -> str | None:
    found = (response.headers[name] for name in REQUEST_IDS if name in response.headers)
    return next(found, None)


def no_reply(settings: Settings) -> UpstreamSilent:
    """The upstream has not even begun to reply."""
    return UpstreamSilent(_silence_before(settings))


def _silence_before(settings: Settings) -> str:
    return (
        f"The upstream sent no first byte for {settings.first_byte_timeout_s:g} s "
        "(UPSTREAM_FIRST_BYTE_TIMEOUT)."
    )


def _silence_between(settings: Settings) -> str:
    return (
        f"The upstream paused in its answer for {settings.read_timeout_s:g} s "
        "(UPSTREAM_READ_TIMEOUT)."
    )
