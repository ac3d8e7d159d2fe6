"""A model's answer over the WebSocket: asked for, watched over, and handed to its delivery."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from functools import partial

from sluice.completions.conversation_log import MAX_LOGGED_CHARACTERS, log_conversation
from sluice.completions.events import CompletionEvent, completion_events
from sluice.completions.parsers import first_value, text_deltas, whole_text, with_ascii_quotes
from sluice.completions.request import ResponseType, TemplateRequest, chat_body, upstream_body
from sluice.completions.usage import token_counts
from sluice.named_tuple import NamedTuple
from sluice.secret_mask import mask_of
from sluice.upstream.call import chat_call
from sluice.websocket.cancellation_watch import CancellationWatch
from sluice.websocket.event_splitting import split_event
from sluice.websocket.frames import MAX_CHAT_EVENT_BYTES
from sluice.websocket.request import Chat, PlainPrompt, client_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from typing import Any

    from sluice.deadline import Deadline
    from sluice.request_log import RequestLog
    from sluice.secret_mask import SecretMask
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.stop_signal import StopSignal
    from sluice.upstream.client import OpenAIClient
    from sluice.upstream.targets import Target
    from sluice.websocket.cancellation_watch import LookTimes
    from sluice.websocket.delivery import Delivery
    from sluice.websocket.events import MessageEvent

    ModelRequest = TemplateRequest | PlainPrompt | Chat

READ_TO_THE_END = (ResponseType.STREAM, ResponseType.FULL)  # the others stop in the middle


class Exchange(NamedTuple):
    """One message and all that its answer needs."""

    message: MessageEvent
    delivery: Delivery
    stop_signal: StopSignal
    deadline: Deadline
    log: RequestLog


class ModelAnswers:
    """Answers requests by the model. Make one for the life of the process.

    state: where it is found that a client has cancelled its request or left; None where nowhere.
    look_times: how often that is looked for.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: OpenAIClient,
        target: Target,
        state: ConnectionState | None = None,
        look_times: LookTimes | None = None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._client = client
        self._target = target
        self._state = state
        self._look_times = look_times

    def send(self, request: ModelRequest, exchange: Exchange) -> None:
        """Ask, deliver, and wait until all is sent.

        Raises SluiceError: what the request, the upstream, the delivery or the deadline may raise,
        and Cancelled.
        """
        self._ask(request, exchange)
        exchange.delivery.wait_until_sent()

    @contextmanager
    def watched(self, exchange: Exchange) -> Iterator[None]:
        """Within the block, the client's cancellation and leave end what `send` does.

        The log has, behind it, who the client is.
        """
        if self._state is None:
            yield
            return
        message = exchange.message
        look = partial(
            self._state.look, message.connection_id, client_id(message.body), message.at_ms
        )
        watch = CancellationWatch(
            look, exchange.stop_signal.stop, exchange.deadline, self._look_times
        )
        try:
            with watch:
                yield
        finally:
            exchange.log.note(principal=watch.principal)
            if watch.failure is not None:
                exchange.log.note(state=watch.failure.message)

    def _ask(self, request: ModelRequest, exchange: Exchange) -> None:
        call = chat_call(self._body(request))
        with self._client.ask(
            self._target, call, exchange.deadline, exchange.stop_signal, exchange.log.note
        ) as upstream:
            events = completion_events(upstream.headers, upstream.chunks())
            events = _with_usage_noted(events, exchange.log)
            if self._settings.log_chat:
                secrets = self._secrets
                events = _logged(events, _messages(request), exchange.log, secrets)
            with closing(events):
                self._deliver(request, events, exchange.delivery)
            exchange.delivery.finish()
            if _response_type(request) in READ_TO_THE_END:
                upstream.finish()

    def _deliver(
        self, request: ModelRequest, events: Iterable[CompletionEvent], delivery: Delivery
    ) -> None:
        mask = mask_of(self._secrets())
        if isinstance(request, Chat):
            for event in events:
                for part in split_event(_masked(event, mask), MAX_CHAT_EVENT_BYTES):
                    delivery.send(part)
            return
        deltas = text_deltas(events)
        if self._settings.ascii_quotes:
            deltas = with_ascii_quotes(deltas)
        response_type = _response_type(request)
        if response_type is ResponseType.STREAM:
            for delta in deltas:
                delivery.send(mask.text(delta))  # holding one back for half a key would be seen
        elif response_type is ResponseType.FULL:
            delivery.send_message(mask.text(whole_text(deltas)))
        else:
            delivery.send_message(mask.text(first_value(response_type, deltas)))

    def _body(self, request: ModelRequest) -> bytes:
        if isinstance(request, Chat):
            return chat_body(request.request, self._settings)
        return upstream_body(_template(request), self._settings, self._environ, self._secrets())

    def _secrets(self) -> tuple[str, ...]:
        self._client.keys_of(self._target)  # known from here on
        return self._client.known_keys() + self._settings.forward_keys.plain


def _template(request: TemplateRequest | PlainPrompt) -> TemplateRequest:
    return request.template if isinstance(request, PlainPrompt) else request


def _response_type(request: ModelRequest) -> ResponseType:
    return ResponseType.STREAM if isinstance(request, Chat) else _template(request).response_type


def _messages(request: ModelRequest) -> Any:
    """What the client said; the system prompt is the operator's, who knows it."""
    if isinstance(request, Chat):
        return request.request.get("messages")
    return [{"role": m.role, "content": m.content} for m in _template(request).messages]


def _masked(event: CompletionEvent, mask: SecretMask) -> CompletionEvent:
    """Whole, for what is split may cut a secret in two."""
    data = mask.apply(event.data.encode()).decode()
    return event if data == event.data else CompletionEvent(data, json.loads(data), event.text)


def _with_usage_noted(
    events: Iterable[CompletionEvent], log: RequestLog
) -> Generator[CompletionEvent, None, None]:
    """The events; the log gets the tokens they count, where they do."""
    for event in events:
        usage = token_counts(event.document.get("usage"))
        if usage is not None:
            log.note(usage=usage)
        yield event


def _logged(
    events: Iterable[CompletionEvent],
    messages: Any,
    log: RequestLog,
    secrets: Callable[[], tuple[str, ...]],
) -> Generator[CompletionEvent, None, None]:
    """The events, which leave what they say in the log, however the answer ends."""
    answer = ""
    try:
        for event in events:
            answer += event.text[: MAX_LOGGED_CHARACTERS - len(answer)]
            yield event
    finally:
        log_conversation(log, messages, answer, secrets())
