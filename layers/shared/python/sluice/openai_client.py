"""The connection to the model: one HTTP client, kept open from request to request.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.exceptions import ProtocolError as ConnectionBroken

from sluice.deadline import Alarm, Deadline
from sluice.errors import UpstreamBroken, UpstreamError, UpstreamSilent, UpstreamUnreachable
from sluice.upstream_reply import passed_headers, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.errors import SluiceError
    from sluice.key_ring import KeyRing
    from sluice.settings import Settings

READ_BYTES = 64 * 1024  # at most this much of what has come, at once; never waited for
MAX_ERROR_BODY_BYTES = 1024 * 1024  # a provider's error is a few hundred bytes
FIRST_ERROR_STATUS = 400
FIRST_REDIRECT_STATUS = 300


class OpenAIClient:
    """Asks an OpenAI-compatible API. Make one for the life of the process and share it."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._settings = settings
        self._keys = keys
        self._session = requests.Session()
        # Neither proxies nor a .netrc password of the machine: only what the settings say.
        self._session.trust_env = False
        self._session.headers.clear()
        if settings.proxy:
            self._session.proxies = {"http": settings.proxy, "https": settings.proxy}

    def chat(self, body: bytes, deadline: Deadline) -> UpstreamAnswer:
        """POST /chat/completions with the JSON `body`; returns when the reply's head is there.

        Use the answer as a context manager. Raises UpstreamRefused, UpstreamUnreachable,
        UpstreamSilent, DeadlineReached, SettingsError.
        """
        response = self._post(f"{self._settings.openai_base_url}/chat/completions", body, deadline)
        if response.status_code < FIRST_REDIRECT_STATUS:
            return UpstreamAnswer(response, deadline)
        with contextlib.closing(response):
            if response.status_code < FIRST_ERROR_STATUS:
                raise UpstreamError(
                    f"The upstream redirects (status {response.status_code}): OPENAI_BASE_URL must "
                    "be the address it redirects to."
                )
            raise self._refusal(response)

    def _post(self, url: str, body: bytes, deadline: Deadline) -> requests.Response:
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # compressors hold back what is not yet a block
            "User-Agent": "sluice",
        }
        key = self._keys.next_key()
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        time_left = deadline.seconds_left()
        read_timeout = min(self._settings.read_timeout_s, time_left)
        try:
            return self._session.post(
                url,
                data=body,
                headers=headers,
                timeout=(min(self._settings.connect_timeout_s, time_left), read_timeout),
                stream=True,
                allow_redirects=False,  # they would turn the POST into a GET
            )
        except requests.ConnectTimeout as error:
            raise UpstreamUnreachable("The upstream cannot be reached: no connection.") from error
        except requests.Timeout as error:
            deadline.seconds_left()  # raises DeadlineReached where that was the reason
            raise _silent(read_timeout) from error
        except (requests.RequestException, HTTPError) as error:
            raise UpstreamUnreachable("The upstream cannot be reached.") from error

    def _refusal(self, response: requests.Response) -> SluiceError:
        try:
            body = response.raw.read(MAX_ERROR_BODY_BYTES, decode_content=True)
        except (HTTPError, OSError):
            body = b""
        headers = {k: v for k, v in response.headers.items() if k.lower() != "content-encoding"}
        return refusal(response.status_code, headers, body)


class UpstreamAnswer:
    """A model's answer, as it comes. A context manager: leaving it ends the request upstream."""

    def __init__(self, response: requests.Response, deadline: Deadline) -> None:
        self.status = response.status_code
        self.headers = passed_headers(response.headers)
        """What of the reply's headers is for the client; names in lower case."""
        self._response = response
        self._deadline = deadline
        self._stopped: SluiceError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body, each piece as soon as it is there, as the upstream sent them.

        Raises UpstreamSilent, UpstreamBroken, DeadlineReached, and what `stop` was given.
        """
        raw = self._response.raw
        with Alarm(self._deadline, self.stop):
            while data := self._read(raw):
                yield data
            raw.drain_conn()  # reading up to the end does not give the connection back; this does

    def stop(self, reason: SluiceError) -> None:
        """End `chunks` with `reason`; for other threads than the one that reads."""
        self._stopped = self._stopped or reason
        # Already over and back in the pool, or closed: then there is nothing to wake.
        with contextlib.suppress(RuntimeError, ValueError, OSError):
            self._response.raw.shutdown()

    def _read(self, raw: Any) -> bytes:
        try:
            data: bytes = b"" if self._stopped else raw.read1(READ_BYTES, decode_content=False)
        except ReadTimeoutError as error:
            raise self._stopped or _silent(None) from error
        except (ConnectionBroken, HTTPError, OSError) as error:
            raise self._stopped or UpstreamBroken(
                "The upstream ended the connection in the middle of its answer."
            ) from error
        if self._stopped and not data:
            raise self._stopped
        return data


def _silent(seconds: float | None) -> UpstreamSilent:
    within = "" if seconds is None else f" within {seconds:g} s"
    return UpstreamSilent(f"The upstream sent nothing{within}.")
