"""The connection to the model: one HTTP client, kept open from request to request.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any, Self

import requests
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from sluice.deadline import Alarm, Deadline, reached
from sluice.errors import (
    SluiceError,
    UpstreamBroken,
    UpstreamError,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.stop_signal import StopSignal
from sluice.upstream_connection import ConnectionWatch, watched_session
from sluice.upstream_reply import passed_headers, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from sluice.key_ring import KeyRing
    from sluice.settings import Settings

READ_BYTES = 64 * 1024  # at most this much of what has come, at once; never waited for
MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
MAX_BYTES_AFTER_END = 16 * 1024  # what may follow an answer's end: a chunk's, a blank line
TIMEOUT_AFTER_END_S = 0.2  # it comes with the end, or the connection is not worth keeping
AT_ONCE_S = 1.0  # in which a connection that was closed says so: a round trip, generously
FIRST_ERROR_STATUS = 400
FIRST_REDIRECT_STATUS = 300


class OpenAIClient:
    """Asks an OpenAI-compatible API, one request at a time.

    Make one for the life of the process: it keeps the connection.
    """

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._settings = settings
        self._keys = keys
        self._watch = ConnectionWatch()
        self._session = watched_session(self._watch)
        if settings.proxy:
            self._session.proxies = {"http": settings.proxy, "https": settings.proxy}

    def chat(
        self, body: bytes, deadline: Deadline, stop_signal: StopSignal | None = None
    ) -> UpstreamAnswer:
        """POST /chat/completions with the JSON `body`; returns when the reply's head is there.

        Use the answer as a context manager. stop_signal: ends it, head or not, from another thread.
        Raises UpstreamRefused, UpstreamUnreachable, UpstreamSilent, DeadlineReached, SettingsError,
        and the signal's reason.
        """
        headers = self._headers()
        asking = _Asking(self._watch, deadline, stop_signal or StopSignal())
        try:
            response = self._post(body, headers, deadline)
        except BaseException:
            asking.end()
            raise
        answer = UpstreamAnswer(response, asking, self._settings.read_timeout_s)
        if response.status_code >= FIRST_REDIRECT_STATUS:
            with answer:
                raise _refused(response.status_code, answer)
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # compressors hold back what is not yet a block
            "User-Agent": "sluice",
        }
        key = self._keys.next_key()
        return headers if key is None else {**headers, "Authorization": f"Bearer {key}"}

    def _post(self, body: bytes, headers: dict[str, str], deadline: Deadline) -> requests.Response:
        """Ask, a second time where the kept connection had been closed in the meantime.

        Lambda freezes the process between events, so this is what a rested connection comes to.
        """
        try:
            return self._post_once(body, headers, deadline)
        except requests.ConnectionError as error:
            if self._watch.stopped or not (self._had_rested() and _is_hang_up(error)):
                raise self._failure(error) from error
        except (requests.RequestException, HTTPError) as error:
            raise self._failure(error) from error
        try:
            return self._post_once(body, headers, deadline)
        except (requests.RequestException, HTTPError) as error:
            raise self._failure(error) from error

    def _had_rested(self) -> bool:
        """Whether a kept connection failed as soon as it was used again.

        One that fails later has had a server behind it, and a model that may have begun.
        """
        return self._watch.was_kept and time.monotonic() - self._watch.asked_at < AT_ONCE_S

    def _post_once(
        self, body: bytes, headers: dict[str, str], deadline: Deadline
    ) -> requests.Response:
        connect_timeout = min(self._settings.connect_timeout_s, deadline.seconds_left())
        return self._session.post(
            f"{self._settings.openai_base_url}/chat/completions",
            data=body,
            headers=headers,
            timeout=(connect_timeout, self._settings.read_timeout_s),
            stream=True,
            allow_redirects=False,  # they would turn the POST into a GET
        )

    def _failure(self, error: Exception) -> SluiceError:
        if self._watch.stopped is not None:
            return self._watch.stopped
        if isinstance(error, requests.ReadTimeout):
            return _silent(self._settings.read_timeout_s)
        return UpstreamUnreachable("The upstream cannot be reached.")


class _Asking:
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
    """A model's answer, as it comes. A context manager: leaving it ends the request upstream."""

    def __init__(
        self,
        response: requests.Response,
        asking: _Asking,
        read_timeout_s: float,
    ) -> None:
        self.status = response.status_code
        self.headers = passed_headers(response.headers)
        """What of the reply's headers is for the client; names in lower case."""
        self._response = response
        self._asking = asking
        self._watch = asking.watch
        self._read_timeout_s = read_timeout_s

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

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body, each piece as soon as it is there, as the upstream sent them.

        Raises UpstreamSilent, UpstreamBroken, DeadlineReached, and the reason of a stop signal.
        """
        while data := self._read():
            yield data

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

    def _read(self, *, decode: bool = False) -> bytes:
        raw: Any = self._response.raw
        try:
            data: bytes = raw.read1(READ_BYTES, decode_content=decode)
        except ReadTimeoutError as error:
            raise self._watch.stopped or _silent(self._read_timeout_s) from error
        except (HTTPError, OSError) as error:
            raise self._watch.stopped or UpstreamBroken(
                "The upstream ended the connection in the middle of its answer."
            ) from error
        if self._watch.stopped is not None:  # then what was read may end anywhere
            raise self._watch.stopped
        return data


def _refused(status: int, answer: UpstreamAnswer) -> SluiceError:
    if status < FIRST_ERROR_STATUS:
        return UpstreamError(
            f"The upstream redirects (status {status}): OPENAI_BASE_URL must be the address it "
            "redirects to."
        )
    headers = {name: v for name, v in answer.headers.items() if name != "content-encoding"}
    return refusal(status, headers, answer.error_body())


def _is_hang_up(error: requests.ConnectionError) -> bool:
    """Whether the other side closed the connection in place of a reply."""
    reason = error.args[0] if error.args else None
    hang_ups = (RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return isinstance(reason, ProtocolError) and isinstance(reason.args[-1], hang_ups)


def _silent(seconds: float) -> UpstreamSilent:
    return UpstreamSilent(f"The upstream sent nothing for {seconds:g} s.")
