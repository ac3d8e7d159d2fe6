"""Asks OpenAI-compatible APIs: one HTTP client, whose connections are kept from request to request.

https://platform.openai.com/docs/api-reference/introduction
"""

from __future__ import annotations

import random
import time
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError, ProtocolError

from sluice.errors import SluiceError, UpstreamError, UpstreamRefused, UpstreamUnreachable
from sluice.key_ring import KeyRing
from sluice.retries import KEY_STATUSES, RetryPlan, key_rest
from sluice.stop_signal import StopSignal
from sluice.upstream_answer import Asking, UpstreamAnswer, no_reply
from sluice.upstream_connection import ConnectionWatch, watched_session
from sluice.upstream_reply import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sluice.deadline import Deadline
    from sluice.model_call import ModelCall
    from sluice.providers import UpstreamRequest
    from sluice.settings import Settings
    from sluice.targets import Target

DEFAULT_HEADERS = {"accept": "*/*", "user-agent": "sluice"}
AT_ONCE_S = 1.0  # in which a connection that was closed says so: a round trip, generously
FIRST_ERROR_STATUS = 400
FIRST_REDIRECT_STATUS = 300
MAX_LOGGED_CHARACTERS = 128  # a model's name has some twenty, a client's mistake may have more


def _ignore(**_facts: Any) -> None: ...


class OpenAIClient:
    """Asks the models behind `targets`, one request at a time.

    Make one for the life of the process: it keeps the connections, and knows which keys were
    refused. read_parameter: see KeyRing. random: 0 to 1, for the pauses between attempts. clock:
    seconds since 1970, for a Retry-After that is a date.
    """

    def __init__(
        self,
        settings: Settings,
        targets: Sequence[Target],
        read_parameter: Callable[[str], str],
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._rings = {target: KeyRing(target.keys, read_parameter) for target in targets}
        self._random = random
        self._clock = clock
        self._watch = ConnectionWatch()
        self._session = watched_session(self._watch, hosts=len(targets))
        if settings.proxy:
            self._session.proxies = {"http": settings.proxy, "https": settings.proxy}

    def keys_of(self, target: Target) -> tuple[str, ...]:
        """A target's keys, read if need be. Raises SettingsError."""
        return self._rings[target].keys()

    def known_keys(self) -> tuple[str, ...]:
        """The keys of all targets that have been read so far."""
        return tuple(key for ring in self._rings.values() for key in ring.known_keys())

    def ask(
        self,
        target: Target,
        call: ModelCall,
        deadline: Deadline,
        stop_signal: StopSignal | None = None,
        note: Callable[..., None] = _ignore,
    ) -> UpstreamAnswer:
        """Ask, and again where that may help; returns when the first byte of an answer is there.

        Use the answer as a context manager. stop_signal: ends it, begun or not, from another
        thread. note: told provider, model, deployment, retries and upstream_request_id, by name.
        Raises UpstreamRefused, UpstreamUnreachable, UpstreamSilent, UpstreamBroken,
        DeadlineReached, SettingsError, what the provider cannot ask, and the signal's reason.
        """
        stop_signal = stop_signal or StopSignal()
        settings = self._settings
        # A form stays as it is: it has no other model to be asked of.
        fallbacks = settings.fallback_models if call.is_json else {}
        plan = RetryPlan(settings.retries, fallbacks, call.model, self._random, self._clock)
        tried: set[str] = set()
        while True:
            key = self._rings[target].next_key(tried)
            model = call.model and call.model[:MAX_LOGGED_CHARACTERS]
            request = target.provider.request(call, key)
            note(provider=target.provider.name, model=model, retries=plan.asked_again)
            if request.deployment is not None:
                note(deployment=request.deployment[:MAX_LOGGED_CHARACTERS])
            try:
                answer = self._ask_once(request, deadline, stop_signal, note)
            except SluiceError as error:
                has_other_key = self._has_other_key(target, key, tried, error)
                attempt = plan.after(error, deadline.seconds_left(), has_other_key=has_other_key)
                if attempt is None:
                    raise
            else:
                answer.mends_stream_end = target.provider.mends_stream_end
                return answer
            stop_signal.wait(attempt.pause_s)
            if attempt.model is not None:
                note(fallback_from=call.model)
                call = call.by_model(attempt.model)
                tried.clear()

    def _has_other_key(
        self, target: Target, key: str | None, tried: set[str], error: SluiceError
    ) -> bool:
        """Set a refused key aside, and tell whether there is another one to try."""
        if key is None:
            return False
        tried.add(key)
        ring = self._rings[target]
        if isinstance(error, UpstreamRefused) and error.reply_status in KEY_STATUSES:
            ring.set_aside(key, key_rest(error, self._clock()))
        return ring.has_key_beside(tried)

    def _ask_once(
        self,
        request: UpstreamRequest,
        deadline: Deadline,
        stop_signal: StopSignal,
        note: Callable[..., None],
    ) -> UpstreamAnswer:
        asking = Asking(self._watch, deadline, stop_signal)
        try:
            response = self._send(request, deadline)
            answer = UpstreamAnswer(response, asking, self._settings)
        except BaseException:
            asking.end()
            raise
        note(upstream_request_id=answer.request_id)
        try:
            _check_status(answer)
            answer.wait_for_first_byte()
        except BaseException:
            answer.__exit__(None, None, None)
            raise
        return answer

    def _send(self, request: UpstreamRequest, deadline: Deadline) -> requests.Response:
        """Send, a second time where the kept connection had been closed in the meantime.

        Lambda freezes the process between events, so this is what a rested connection comes to.
        """
        try:
            return self._send_once(request, deadline)
        except requests.ConnectionError as error:
            if self._watch.stopped or not (self._had_rested() and _is_hang_up(error)):
                raise self._failure(error) from error
        except (requests.RequestException, HTTPError) as error:
            raise self._failure(error) from error
        try:
            return self._send_once(request, deadline)
        except (requests.RequestException, HTTPError) as error:
            raise self._failure(error) from error

    def _had_rested(self) -> bool:
        """Whether a kept connection failed as soon as it was used again.

        One that fails later has had a server behind it, and a model that may have begun.
        """
        return self._watch.was_kept and time.monotonic() - self._watch.asked_at < AT_ONCE_S

    def _send_once(self, request: UpstreamRequest, deadline: Deadline) -> requests.Response:
        connect_timeout = min(self._settings.connect_timeout_s, deadline.seconds_left())
        return self._session.request(
            request.method,
            request.url,
            data=request.body,
            headers=_on_the_wire({**DEFAULT_HEADERS, **request.headers}),
            timeout=(connect_timeout, self._settings.first_byte_timeout_s),
            stream=True,
            allow_redirects=False,  # they would turn a POST into a GET
        )

    def _failure(self, error: Exception) -> SluiceError:
        if self._watch.stopped is not None:
            return self._watch.stopped
        is_silence = isinstance(error, requests.ReadTimeout)
        if is_silence and self._watch.is_asked:
            return no_reply(self._settings)
        # A TLS handshake, or a proxy that is asked for a tunnel, is read from as well.
        if is_silence or isinstance(error, requests.ConnectTimeout):
            seconds = self._settings.connect_timeout_s
            return UpstreamUnreachable(
                f"There was no connection to the upstream for {seconds:g} s "
                "(UPSTREAM_CONNECT_TIMEOUT)."
            )
        return UpstreamUnreachable(
            "The upstream cannot be reached: does anybody listen at OPENAI_BASE_URL, or at PROXY?"
        )


def _on_the_wire(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Header values as bytes: http.client would take no letter beyond Latin-1.

    Bytes that were no UTF-8 stand in an event as lone surrogates, and become themselves again.
    """
    encoded = {name: value.encode("utf-8", "surrogateescape") for name, value in headers.items()}
    return {name: value.strip() for name, value in encoded.items()}  # requests takes no blanks


def _check_status(answer: UpstreamAnswer) -> None:
    """Raises UpstreamRefused with the body of an error."""
    if answer.status < FIRST_REDIRECT_STATUS:
        return
    if answer.status < FIRST_ERROR_STATUS:
        raise UpstreamError(
            f"The upstream redirects (status {answer.status}): OPENAI_BASE_URL must be the address "
            "it redirects to."
        )
    headers = {name: v for name, v in answer.headers.items() if name != "content-encoding"}
    raise refusal(answer.status, headers, answer.error_body())


def _is_hang_up(error: requests.ConnectionError) -> bool:
    """Whether the other side closed the connection in place of a reply."""
    reason = error.args[0] if error.args else None
    hang_ups = (RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return isinstance(reason, ProtocolError) and isinstance(reason.args[-1], hang_ups)
