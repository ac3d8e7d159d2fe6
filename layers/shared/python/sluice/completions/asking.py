"""Requests to the model, for both transports: limited, sent, counted and logged in one place."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, nullcontext
from functools import partial

from sluice.completions.answer import ModelAnswer
from sluice.completions.request import (
    PendingRequest,
    TemplateRequest,
    encoded,
    upstream_body,
    without_caching,
)
from sluice.errors import StateUnavailable
from sluice.secret_mask import mask_of
from sluice.upstream.call import chat_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from sluice.access.gate import Gate
    from sluice.access.identity import Access
    from sluice.authentication import Principal
    from sluice.completions.caching import AnswerCache, CacheExchange
    from sluice.completions.conversation_log import Conversation
    from sluice.completions.metering import Meter
    from sluice.completions.pacing import Pace
    from sluice.completions.request import NativeRequest
    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.request_log import RequestLog
    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream.call import ModelCall
    from sluice.upstream.client import UpstreamClient
    from sluice.upstream.reply import UpstreamReply
    from sluice.upstream.targets import Target

CACHED_PATHS = ("/chat/completions", "/completions", "/embeddings")
"""Paths whose answers CACHE_CHAT_COMPLETION keeps."""
STREAM_ASKED = rb'"stream"\s*:\s*true'
"""A member of a request's JSON. Within a text its quotation marks would be escaped."""


class ModelAnswers:
    """Sends requests to the model. Make one for the life of the process.

    target: the API of requests that name none. forward_keys: masked like the provider's keys.
    access: limits and counts what principals use.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: UpstreamClient,
        target: Target,
        forward_keys: KeyRing,
        access: Access | None = None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._client = client
        self._target = target
        self._forward_keys = forward_keys
        self._access = access
        self._cache: AnswerCache | None = None

    def secrets(self) -> tuple[str, ...]:
        """The keys this process has read so far: no client, prompt or log may see one."""
        return self._client.known_keys() + self._forward_keys.known_keys()

    def open_ahead(self, target: Target, principal: str | None) -> None:
        """Begin to connect, for a request that may follow. principal: its name, if it is known."""
        self._client.open_ahead(target, principal)

    def native_call(self, native: NativeRequest, deployment: str | None = None) -> ModelCall:
        """The call of a native request, with the default model if it names none.

        deployment: the model instead, because the path names it.
        """
        model, prompt = native.document.get("model"), native.document.get("prompt")
        if model and deployment in (None, model):
            return chat_call(native.body, _as_name(model))
        if deployment is None and isinstance(prompt, dict):
            return chat_call(native.body)  # a prompt stored at the provider, which names a model
        wanted = deployment or self._settings.openai_model
        call = chat_call(native.body).by_model(wanted)
        if call.model != wanted:  # JSON in UTF-16, or after a byte order mark
            call = chat_call(encoded({**native.document, "model": wanted}), wanted)
        return call

    @contextmanager
    def ask(
        self,
        request: TemplateRequest | ModelCall,
        log: RequestLog,
        deadline: Deadline,
        stop_signal: StopSignal | None = None,
        target: Target | None = None,
        principal: Principal | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[ModelAnswer]:
        """Send a request, and wait for the first byte of its answer.

        principal: who makes it, where `access` may limit it. headers: the client's, which may say
        what it wants of the cache; by default those of the call. Leaving the block ends the
        upstream request. Then the log has the usage and, with LOG_CHAT=true, what was said. Raises
        as UpstreamClient.ask and Gate.admit, PromptTemplateNotAllowed, PromptTemplateNotFound.
        """
        target = target or self._target
        if isinstance(request, TemplateRequest):
            call, caching = self._template_call(request), request.caching
        else:
            call, caching = without_caching(request)
        headers = call.headers if headers is None else headers
        pending = PendingRequest(
            request, call, headers, target, principal, log, deadline, stop_signal
        )
        with self._cache_exchange(pending, caching=caching) as exchange:
            meter = self._meter(pending, is_hit=exchange is not None and exchange.is_hit)
            with (
                nullcontext() if meter is None else meter.counting(log, deadline),
                self._answer(pending, exchange, meter) as answer,
            ):
                yield answer

    @contextmanager
    def _answer(
        self, pending: PendingRequest, exchange: CacheExchange | None, meter: Meter | None
    ) -> Iterator[ModelAnswer]:
        request, call, target, log = pending.request, pending.call, pending.target, pending.log
        is_hit = exchange is not None and exchange.is_hit
        asking = _asking_for_usage(target, call) if (meter or exchange) and not is_hit else None
        call = asking or call
        conversation = self._conversation(request, call, log, pending.deadline)
        send = partial(self._send, pending._replace(call=call), meter)
        with send(log.note) if exchange is None else exchange.reply(send, log) as reply:
            mask, quotes = mask_of(self.secrets()), self._settings.ascii_quotes
            is_template = isinstance(request, TemplateRequest)
            asks_stream = is_template or re.search(STREAM_ASKED, call.body) is not None
            answer = ModelAnswer(
                reply,
                mask,
                conversation,
                meter,
                ascii_quotes=quotes,
                asks_stream=asks_stream,
                is_verbatim=target.is_verbatim,
                hides_usage=asking is not None,
                pace=self._pace(pending),
            )
            if conversation is not None:
                conversation.begins(answer.status, answer.headers)
            if exchange is not None:
                answer.headers = exchange.headers_over(answer.headers)
                answer.own_headers |= exchange.headers
            try:
                yield answer
                answer.finish()
            finally:
                if exchange is not None and exchange.is_hit:
                    savings = exchange.savings(log)
                    if meter is not None:
                        meter.savings = savings
                else:
                    usage = answer.usage.usage() or (exchange.usage() if exchange else None)
                    log.note(usage=usage)
                    if meter is not None:
                        meter.usage = usage

    def _send(
        self, pending: PendingRequest, meter: Meter | None, note: Callable[..., None]
    ) -> UpstreamReply:
        _, call, _, target, principal, log, deadline, stop_signal = pending
        name = principal and principal.name
        note = note if meter is None else meter.noting(note)
        return self._client.ask(target, call, deadline, stop_signal, note, name, log.trace)

    def _pace(self, pending: PendingRequest) -> Pace | None:
        routes = self._settings.event_rates
        if not routes:
            return None
        from sluice.completions.pacing import pace_of  # noqa: PLC0415 -- few deployments set a pace

        path = f"{pending.target.route_prefix}{pending.call.path}"
        return pace_of(path, routes, pending.deadline, pending.stop_signal)

    def _cache_exchange(
        self, pending: PendingRequest, *, caching: bool | None
    ) -> AbstractContextManager[CacheExchange | None]:
        call = pending.call
        is_cached = self._settings.cache_chat_completion and call.method == "POST"
        if not is_cached or call.path not in CACHED_PATHS:
            return nullcontext()
        gate = self._gate(pending)
        if gate is not None and pending.principal is not None:
            from sluice.completions.metering import check  # noqa: PLC0415 -- see _meter

            check(gate, pending.principal, pending)  # a refused request reads no entry
        # Two threads may open two at once. Neither does harm, and the later one stays.
        if self._cache is None:
            from sluice.completions.caching import AnswerCache  # noqa: PLC0415 -- few set a cache

            self._cache = AnswerCache(self._settings, self._environ, self.secrets)
        return self._cache.exchange(pending, caching=caching)

    def _meter(self, pending: PendingRequest, *, is_hit: bool) -> Meter | None:
        principal, gate = pending.principal, self._gate(pending)
        if gate is None or principal is None:
            return None
        from sluice.completions.metering import metered  # noqa: PLC0415 -- where something limits

        meanwhile = None if is_hit else partial(self._client.open_ahead, pending.target)
        try:
            fallbacks = self._settings.fallback_models
            return metered(gate, principal, pending, meanwhile, fallbacks, is_hit=is_hit)
        except StateUnavailable as error:
            if principal.has_record or self._settings.store_failure == "refuse":
                raise
            pending.log.note(state=error.message, is_counted=False)
            return None

    def _gate(self, pending: PendingRequest) -> Gate | None:
        principal = pending.principal
        return self._access.gate_for(principal) if self._access and principal else None

    def _template_call(self, template: TemplateRequest) -> ModelCall:
        self._client.keys_of(self._target)  # known from here on: no prompt may hold one
        body = upstream_body(template, self._settings, self._environ, self.secrets())
        return chat_call(body)

    def _conversation(
        self,
        request: TemplateRequest | ModelCall,
        call: ModelCall,
        log: RequestLog,
        deadline: Deadline,
    ) -> Conversation | None:
        if not self._settings.log_chat or call.method != "POST":
            return None
        from sluice.completions.conversation_log import Conversation  # noqa: PLC0415 -- few log it

        file = self._settings.log_chat_file
        conversation = Conversation(request, call, self.secrets, log.source_ip, file)
        log.with_conversation(partial(_conversation_lines, conversation, deadline))
        return conversation


def _conversation_lines(
    conversation: Conversation, deadline: Deadline, figures: Mapping[str, Any]
) -> list[str]:
    # The client has its last byte by now, but the function may end before the lines are made.
    if deadline.remaining_ms() / 1000 < conversation.seconds_needed:
        return [json.dumps({**figures, "chat_log": "out_of_time"})]
    from sluice.completions.conversation_lines import lines_of  # noqa: PLC0415 -- few log it

    return lines_of(conversation, figures)


def _asking_for_usage(target: Target, call: ModelCall) -> ModelCall | None:
    """The call that asks for token counts too; None if it does, or the provider has none."""
    if not target.provider.counts_streams:
        return None
    from sluice.completions.usage_event import asking_for_usage  # noqa: PLC0415 -- where they are used

    return asking_for_usage(call)


def _as_name(model: Any) -> str | None:
    """A model's name, or None if it is not one: then the provider knows best what to say."""
    return model if isinstance(model, str) and model.isprintable() else None
