"""Sends requests to the APIs of models: OpenAI's and compatible ones, Azure's, Amazon Bedrock's.

https://platform.openai.com/docs/api-reference/introduction
"""

from __future__ import annotations

import os
import time
from functools import partial

from sluice.errors import InvalidField, SettingsError, SluiceError, UpstreamRefused
from sluice.http.connection import proxy_of
from sluice.http.errors import TransportError
from sluice.http.transport import HttpRequest, HttpTransport, Waits
from sluice.key_ring import KeyRing
from sluice.secret_mask import mask_of
from sluice.settings import BUILT_IN
from sluice.trace import UNTRACED
from sluice.upstream.reply import UpstreamReply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sluice.deadline import Deadline
    from sluice.http.connection import Opening
    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.trace import Trace
    from sluice.upstream.call import ModelCall
    from sluice.upstream.providers import UpstreamRequest
    from sluice.upstream.retries import RetryPlan
    from sluice.upstream.targets import Target
    from sluice.upstream.transports import Transport

DEFAULT_HEADERS = {"accept": "*/*", "user-agent": "sluice"}
MIN_REST_S = 0.05
"""How long a connection rests before its next request, in seconds: a reply too many, which would
pass for the next answer, mostly follows at once. Requests meanwhile take another connection."""
MAX_LOGGED_CHARACTERS = 128  # a model's name has about twenty; a client's mistake may have more


def _ignore(**_facts: Any) -> None: ...


class UpstreamClient:
    """Sends requests to `targets`. Make one per process: it keeps connections and refused keys.

    read_parameter: see KeyRing. random: returns 0 to 1, for the pauses between attempts. clock:
    seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        targets: Sequence[Target],
        read_parameter: Callable[[str], str],
        random: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._rings = {target: KeyRing(target.keys, read_parameter) for target in targets}
        self._random = random
        self._clock = clock
        self._transport = _transport_of(settings, clock)

    def keys_of(self, target: Target) -> tuple[str, ...]:
        """A target's keys, read on first use. Raises SettingsError."""
        return self._rings[target].keys()

    def known_keys(self) -> tuple[str, ...]:
        """The keys of all targets, as far as they have been read."""
        return tuple(key for ring in self._rings.values() for key in ring.known_keys())

    def open_ahead(self, target: Target, principal: str | None = None) -> None:
        """Begin to open a connection for the next request to a target, unless one is kept.

        principal: see ask. Does not wait: the request does.
        """
        tenant = (self._rings[target].coming_key(), principal)
        seconds = self._settings.connect_timeout_s
        self._transport.open_ahead(target.provider.base_url, seconds, tenant)

    def ask(
        self,
        target: Target,
        call: ModelCall,
        deadline: Deadline,
        stop_signal: StopSignal | None = None,
        note: Callable[..., None] = _ignore,
        principal: str | None = None,
        trace: Trace = UNTRACED,
    ) -> UpstreamReply:
        """Send a request, with retries; returns when the first byte of an answer is there.

        Use the answer as a context manager. stop_signal: ends it from another thread, at any time.
        note: called with provider, model, deployment, retries and upstream_request_id, by name.
        principal: who asks. Two principals never share a connection.
        Raises UpstreamRefused, UpstreamUnreachable, UpstreamSilent, UpstreamBroken, InvalidField,
        DeadlineReached, SettingsError, what the provider raises, and the signal's reason.
        """
        plan: RetryPlan | None = None
        tried: set[str] = set()
        while True:
            key = self._rings[target].next_key(tried)
            model = call.model and call.model[:MAX_LOGGED_CHARACTERS]
            request = target.provider.request(call, key)
            retries = plan.asked_again if plan else 0
            note(provider=target.provider.name, model=model, retries=retries)
            if request.deployment is not None:
                note(deployment=request.deployment[:MAX_LOGGED_CHARACTERS])
            sent = _sent(request, (key, principal))
            facts = {"provider": target.provider.name, "model": model}
            span = trace.span("upstream", method=sent.method, url=sent.url, **facts)
            try:
                answer = self._ask_once(
                    sent, target.url_variable, deadline, stop_signal, note, trace
                )
            except SluiceError as error:
                span.end(error)
                plan = plan or self._plan(call)
                has_other_key = self._has_other_key(target, key, tried, error)
                attempt = plan.after(error, deadline.seconds_left(), has_other_key=has_other_key)
                if attempt is None:
                    raise
            else:
                answer.mends_stream_end = target.provider.mends_stream_end
                span.note(status=answer.status)
                span.mark("time_to_first_byte_ms")
                answer.span = span
                return answer
            _pause(attempt.pause_s, stop_signal)
            if attempt.model is not None:
                note(fallback_from=call.model)
                call = call.by_model(attempt.model)
                tried.clear()

    def _plan(self, call: ModelCall) -> RetryPlan:
        from sluice.upstream.retries import RetryPlan, jitter  # noqa: PLC0415 -- most requests succeed

        settings, random = self._settings, self._random or jitter
        fallbacks = settings.fallback_models if call.may_ask_another else {}
        return RetryPlan(settings.retries, fallbacks, call.model, random, self._clock)

    def _has_other_key(
        self, target: Target, key: str | None, tried: set[str], error: SluiceError
    ) -> bool:
        """Set a refused key aside; returns whether there is another one to try."""
        from sluice.upstream.retries import KEY_STATUSES, key_rest  # noqa: PLC0415 -- see _plan

        if key is None:
            return False
        tried.add(key)
        ring = self._rings[target]
        if isinstance(error, UpstreamRefused) and error.reply_status in KEY_STATUSES:
            ring.set_aside(key, key_rest(error, self._clock()))
        return ring.has_other_key(tried)

    def _ask_once(
        self,
        request: HttpRequest,
        url_variable: str,
        deadline: Deadline,
        stop_signal: StopSignal | None,
        note: Callable[..., None],
        trace: Trace,
    ) -> UpstreamReply:
        waits, began = self._waits(deadline), time.monotonic()
        to_sluice_error = partial(
            _failure, settings=self._settings, stop_signal=stop_signal, url_variable=url_variable
        )
        try:
            reply = self._transport.send(request, waits, stop_signal)
        except TransportError as error:
            failure = to_sluice_error(error)
            _add_connection(trace, error.opening)
            if not error.was_sent and error.opening is None:
                trace.add("connection", began, time.monotonic(), failure)
            raise failure from error.__cause__
        except ValueError as error:
            raise InvalidField("A header of the request cannot be sent on.") from error
        _add_connection(trace, reply.opening)
        answer = UpstreamReply(reply, to_sluice_error, url_variable)
        try:
            note(upstream_request_id=self._loggable(answer.request_id))
            answer.check_status()
            answer.wait_for_first_byte()
        except BaseException:
            reply.close()
            raise
        return answer

    def _waits(self, deadline: Deadline) -> Waits:
        settings = self._settings
        return Waits(
            settings.connect_timeout_s,
            settings.first_byte_timeout_s,
            settings.read_timeout_s,
            time.monotonic() + deadline.seconds_left(),
        )

    def _loggable(self, request_id: str | None) -> str | None:
        """A provider's text for the log: some servers send the key back."""
        if request_id is None:
            return None
        return mask_of(self.known_keys()).text(request_id)[:MAX_LOGGED_CHARACTERS]


def _sent(request: UpstreamRequest, tenant: tuple[str | None, ...]) -> HttpRequest:
    headers = {**DEFAULT_HEADERS, **request.headers}
    return HttpRequest(request.method, request.url, headers, request.body, tenant)


def _failure(
    error: TransportError,
    settings: Settings,
    stop_signal: StopSignal | None,
    url_variable: str,
) -> SluiceError:
    from sluice.upstream.failures import transport_failure  # noqa: PLC0415 -- most requests succeed

    return transport_failure(error, settings, stop_signal, url_variable)


def _transport_of(settings: Settings, clock: Callable[[], float]) -> Transport:
    proxy = settings.proxy or None
    trusted = settings.trusted_certificates
    if trusted is not None and not os.path.exists(trusted):  # noqa: PTH110 -- slow to import
        variable = "REQUESTS_CA_BUNDLE" if settings.requests_ca_bundle else "SSL_CERT_FILE"
        raise SettingsError(variable, "must be a PEM file of certificates", repr(trusted))
    if settings.upstream_transport != BUILT_IN:
        from sluice.upstream.transports.requests import RequestsTransport  # noqa: PLC0415 -- slow

        return RequestsTransport(proxy, trusted, min_rest_s=MIN_REST_S, clock=clock)
    at = proxy_of(proxy) if proxy else None
    return HttpTransport(at, trusted, min_rest_s=MIN_REST_S, clock=clock)


def _add_connection(trace: Trace, opening: Opening | None) -> None:
    """Add the opening of a connection to the trace, unless an earlier request opened it."""
    if opening is not None:
        began, connected, ended = opening
        tcp_ms, tls_ms = (connected - began) * 1000, (ended - connected) * 1000
        trace.add("connection", began, ended, tcp_ms=tcp_ms, tls_ms=tls_ms)


def _pause(seconds: float, stop_signal: StopSignal | None) -> None:
    """Before the next attempt. Raises the signal's reason."""
    if stop_signal is None:
        time.sleep(seconds)
    else:
        stop_signal.wait(seconds)
