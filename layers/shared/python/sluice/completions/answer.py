"""A model's answer, for both transports: requested, read, masked and logged in one place."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain

from sluice.completions.event_stream import (
    is_event_stream,
    is_plain,
    readable,
    recognized,
    whole_lines,
)
from sluice.completions.request import ResponseType, TemplateRequest, encoded, upstream_body
from sluice.completions.usage import UsageFinder
from sluice.errors import StateUnavailable
from sluice.secret_mask import mask_of
from sluice.upstream.call import chat_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from sluice.access.identity import Access
    from sluice.authentication import Principal
    from sluice.completions.conversation_log import Recording
    from sluice.completions.events import CompletionEvent
    from sluice.completions.metering import Meter
    from sluice.completions.pacing import Pace
    from sluice.completions.request import NativeRequest
    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.request_log import RequestLog
    from sluice.secret_mask import SecretMask
    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream.call import ModelCall
    from sluice.upstream.client import UpstreamClient
    from sluice.upstream.reply import UpstreamReply
    from sluice.upstream.targets import Target


PARTIAL_CONTENT = 206
"""The status of a part of a body. Alone it cannot be decompressed."""
STREAM_ASKED = rb'"stream"\s*:\s*true'
"""In a request's JSON. Within a text its quotation marks would be escaped."""


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

    def secrets(self) -> tuple[str, ...]:
        """The keys this process has read so far: no client, prompt or log may see one."""
        return self._client.known_keys() + self._forward_keys.known_keys()

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
    ) -> Iterator[ModelAnswer]:
        """Send a request, and wait for the first byte of its answer.

        principal: who makes it, where `access` may limit it. Leaving the block ends the upstream
        request. Then the log has the usage and, with LOG_CHAT=true, what was said. Raises as
        UpstreamClient.ask and Gate.admit, and PromptTemplateNotAllowed, PromptTemplateNotFound.
        """
        target = target or self._target
        call = self._template_call(request) if isinstance(request, TemplateRequest) else request
        meter = self._meter(principal, target, call, request, deadline, log)
        asking = None if meter is None else _asking_for_usage(target, call)
        call = asking or call
        name = principal and principal.name
        note, trace = log.note, log.trace
        send = partial(self._client.ask, target, call, deadline, stop_signal, note, name, trace)
        pace = self._pace(target, call, deadline, stop_signal)
        with (
            nullcontext() if meter is None else meter.counting(log, deadline),
            self._answer(
                request, call, target, log, send, meter, pace, hides_usage=asking is not None
            ) as answer,
        ):
            yield answer

    @contextmanager
    def _answer(
        self,
        request: TemplateRequest | ModelCall,
        call: ModelCall,
        target: Target,
        log: RequestLog,
        send: Callable[[], UpstreamReply],
        meter: Meter | None,
        pace: Pace | None,
        *,
        hides_usage: bool,
    ) -> Iterator[ModelAnswer]:
        recording = _recording() if self._settings.log_chat else None
        with send() as upstream:
            mask, quotes = mask_of(self.secrets()), self._settings.ascii_quotes
            is_template = isinstance(request, TemplateRequest)
            asks_stream = is_template or re.search(STREAM_ASKED, call.body) is not None
            answer = ModelAnswer(
                upstream,
                mask,
                recording,
                meter,
                ascii_quotes=quotes,
                asks_stream=asks_stream,
                is_verbatim=target.is_verbatim,
                hides_usage=hides_usage,
                pace=pace,
            )
            try:
                yield answer
                answer.finish()
            finally:
                usage = answer.usage.usage()
                log.note(usage=usage)
                if meter is not None:
                    meter.usage = usage
                if recording is not None:
                    self._log_conversation(log, request, recording.text(answer.headers))

    def _pace(
        self, target: Target, call: ModelCall, deadline: Deadline, stop_signal: StopSignal | None
    ) -> Pace | None:
        routes = self._settings.event_rates
        if not routes:
            return None
        from sluice.completions.pacing import pace_of  # noqa: PLC0415 -- few deployments set a pace

        return pace_of(f"{target.route_prefix}{call.path}", routes, deadline, stop_signal)

    def _meter(
        self,
        principal: Principal | None,
        target: Target,
        call: ModelCall,
        request: TemplateRequest | ModelCall,
        deadline: Deadline,
        log: RequestLog,
    ) -> Meter | None:
        gate = self._access.gate_for(principal) if self._access and principal else None
        if gate is None or principal is None:
            return None
        from sluice.completions.metering import metered  # noqa: PLC0415 -- where something limits

        template = request.prompt_template if isinstance(request, TemplateRequest) else None
        try:
            return metered(gate, principal, target, call, deadline, template)
        except StateUnavailable as error:
            if principal.has_record or self._settings.store_failure == "refuse":
                raise
            log.note(state=error.message, is_counted=False)
            return None

    def _template_call(self, template: TemplateRequest) -> ModelCall:
        self._client.keys_of(self._target)  # known from here on: no prompt may hold one
        body = upstream_body(template, self._settings, self._environ, self.secrets())
        return chat_call(body)

    def _log_conversation(
        self, log: RequestLog, request: TemplateRequest | ModelCall, answer: str
    ) -> None:
        from sluice.completions.conversation_log import log_conversation, said_in  # noqa: PLC0415 -- rare

        if isinstance(request, TemplateRequest):
            messages = request.documents()  # the client's, without the operator's prompt
        else:
            messages = said_in(request.body)
        log_conversation(log, messages, answer, self.secrets())


class ModelAnswer:
    """One answer, to be read once: as bytes, as events or as text. Keys in it are masked.

    Each way of reading raises as UpstreamReply.chunks; events and texts also UpstreamBroken and
    UpstreamRefused as completion_events.
    """

    def __init__(
        self,
        upstream: UpstreamReply,
        mask: SecretMask,
        recording: Recording | None,
        meter: Meter | None = None,
        *,
        ascii_quotes: bool,
        asks_stream: bool = False,
        is_verbatim: bool = False,
        hides_usage: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self.status = upstream.status
        self.headers = upstream.headers
        """Those of the bytes that `chunks` gives, which are not compressed."""
        self.mends_stream_end = upstream.mends_stream_end
        self.is_event_stream = is_event_stream(upstream.headers)
        """By its content type or, once `chunks` has given the first, by its first bytes."""
        self.usage = UsageFinder()
        self._upstream = upstream
        self._mask = mask
        self._recording = recording
        self._meter = meter
        self._ascii_quotes = ascii_quotes
        self._asks_stream = asks_stream
        self._is_verbatim = is_verbatim
        self._hides_usage = hides_usage
        self._pace = pace
        self._is_read = False
        self._is_compressed = not is_plain(upstream.headers) and upstream.status != PARTIAL_CONTENT
        if self._is_compressed:
            self.headers = {n: v for n, v in upstream.headers.items() if n != "content-encoding"}
        if meter is not None:
            self.headers = meter.headers_over(self.headers)

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they come; an event stream in whole lines, and little after its end mark.

        Decompressed, because a key in compressed bytes could not be masked. Heartbeats become
        comments, unless the target is verbatim.
        """
        chunks = self._decompressed() if self._is_compressed else self._upstream.chunks()
        if self._asks_stream and not self.is_event_stream:
            self.is_event_stream, chunks = recognized(self.headers, chunks)
        if self.is_event_stream:
            chunks = whole_lines(chunks, self._upstream.end_soon)
            chunks = chunks if self._is_verbatim else readable(chunks)
            chunks = chunks if self._pace is None else self._pace.chunks(chunks)
        if self._meter is not None:
            chunks = self._meter.chunks(chunks, has_lines=self.is_event_stream)
        if self._hides_usage and self.is_event_stream:
            from sluice.completions.usage_event import without_usage_event  # noqa: PLC0415 -- see ask

            chunks = without_usage_event(chunks, self.usage.add)
        for chunk in self._mask.stream(chunks):
            self.usage.add(chunk)
            if self._recording is not None:
                self._recording.add_chunk(chunk)
            yield chunk

    def events(self) -> Iterator[CompletionEvent]:
        """The events of a chat completion."""
        for event in self._events():
            data = event.data.encode()
            masked = self._mask.apply(data)
            if masked is not data:
                event = event._replace(data=masked.decode(), document=json.loads(masked))  # noqa: PLW2901
            yield event

    def deltas(self) -> Iterator[str]:
        """The text, piece by piece. None is held back for the key that two may share."""
        for delta in self._deltas():
            yield self._mask.text(delta)

    def text(self, response_type: ResponseType) -> str:
        """The whole text, or the value in it, which is read no further. Raises NoMatch."""
        from sluice.completions.parsers import first_value, whole_text  # noqa: PLC0415 -- see _events

        deltas = self._deltas()
        is_full = response_type is ResponseType.FULL
        return self._mask.text(
            whole_text(deltas) if is_full else first_value(response_type, deltas)
        )

    def finish(self) -> None:
        """Read what follows the end of an answer that was read whole: its connection is kept."""
        if self._is_read:
            self._upstream.finish()

    def _decompressed(self) -> Iterator[bytes]:
        from sluice.upstream.decompression import decompressed  # noqa: PLC0415 -- few servers do

        chunks = self._upstream.chunks()
        first = next(chunks, b"")
        if first:  # the reply to HEAD has no body that an encoding could be wrong for
            encoding = self._upstream.headers["content-encoding"]
            yield from decompressed(encoding, chain((first,), chunks))

    def _deltas(self) -> Iterator[str]:
        from sluice.completions.parsers import text_deltas, with_ascii_quotes  # noqa: PLC0415 -- see _events

        deltas = text_deltas(self._events())
        return with_ascii_quotes(deltas) if self._ascii_quotes else deltas

    def _events(self) -> Iterator[CompletionEvent]:
        # What relays bytes never needs a parser.
        from sluice.completions.events import completion_events  # noqa: PLC0415

        found = completion_events(self._upstream.headers, self._upstream.chunks())
        for event in found if self._pace is None else self._pace.items(found):
            self.usage.add_event(event.document)
            if self._recording is not None:
                self._recording.add_text(event.text)
            if self._meter is not None:
                self._meter.count_event()
            if not (self._hides_usage and _is_usage_alone(event)):
                yield event
        self._is_read = True


def _recording() -> Recording:
    from sluice.completions.conversation_log import Recording  # noqa: PLC0415 -- few log what is said

    return Recording()


def _asking_for_usage(target: Target, call: ModelCall) -> ModelCall | None:
    """The call that asks for token counts too; None if it does, or the provider has none."""
    if not target.provider.counts_streams:
        return None
    from sluice.completions.usage_event import asking_for_usage  # noqa: PLC0415 -- where they are used

    return asking_for_usage(call)


def _is_usage_alone(event: CompletionEvent) -> bool:
    from sluice.completions.usage_event import is_usage_alone  # noqa: PLC0415 -- see ask

    return is_usage_alone(event.document)


def _as_name(model: Any) -> str | None:
    """A model's name, or None if it is not one: then the provider knows best what to say."""
    return model if isinstance(model, str) and model.isprintable() else None
