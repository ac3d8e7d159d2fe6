"""A model's answer over the WebSocket: requested, watched, and handed to its delivery."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

# Every answer needs them: loaded at start, and not while a client waits.
from sluice.completions import events, parsers  # noqa: F401
from sluice.completions.request import ResponseType, TemplateRequest, streamed
from sluice.named_tuple import NamedTuple
from sluice.websocket.cancellation_watch import CancellationWatch
from sluice.websocket.event_splitting import split_event
from sluice.websocket.frames import MAX_CHAT_EVENT_BYTES
from sluice.websocket.request import Chat, PlainPrompt, client_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.authentication import Principal
    from sluice.completions.answer import ModelAnswer
    from sluice.completions.asking import ModelAnswers
    from sluice.deadline import Deadline
    from sluice.request_log import RequestLog
    from sluice.state.connections import ConnectionState
    from sluice.stop_signal import StopSignal
    from sluice.upstream.call import ModelCall
    from sluice.websocket.cancellation_watch import LookTimes
    from sluice.websocket.delivery import Delivery
    from sluice.websocket.events import MessageEvent

    ModelRequest = TemplateRequest | PlainPrompt | Chat


class MessageExchange(NamedTuple):
    """One message of a client and everything that its answer needs."""

    message: MessageEvent
    delivery: Delivery
    stop_signal: StopSignal
    deadline: Deadline
    log: RequestLog


def send_answer(
    request: ModelRequest,
    answers: ModelAnswers,
    exchange: MessageExchange,
    principal: Principal | None = None,
) -> None:
    """Request the answer, deliver it, and wait until everything is sent.

    Raises SluiceError: what the request, the upstream, the delivery or the deadline may raise, and
    Cancelled.
    """
    asked: TemplateRequest | ModelCall = (
        answers.native_call(streamed(request.request))
        if isinstance(request, Chat)
        else _template(request)
    )
    log, deadline, stop = exchange.log, exchange.deadline, exchange.stop_signal
    with answers.ask(asked, log, deadline, stop, principal=principal) as answer:
        _deliver(request, answer, exchange.delivery)
        exchange.delivery.finish()
    exchange.delivery.wait_until_sent()


@contextmanager
def watched(
    exchange: MessageExchange, state: ConnectionState | None, look_times: LookTimes | None
) -> Iterator[None]:
    """Within the block, the client's cancellation or disconnect stops the answer.

    After it, the log has the client's principal.
    """
    if state is None:
        yield
        return
    message = exchange.message
    look = partial(state.look, message.connection_id, client_id(message.body), message.at_ms)
    watch = CancellationWatch(look, exchange.stop_signal.stop, exchange.deadline, look_times)
    try:
        with watch:
            yield
    finally:
        if watch.principal is not None:
            exchange.log.note(principal=watch.principal)
        if watch.failure is not None:
            exchange.log.note(state=watch.failure.message)


def _deliver(request: ModelRequest, answer: ModelAnswer, delivery: Delivery) -> None:
    if isinstance(request, Chat):
        for event in answer.events():
            for part in split_event(event, MAX_CHAT_EVENT_BYTES):
                delivery.send(part)
        return
    response_type = _template(request).response_type
    if response_type is ResponseType.STREAM:
        is_empty = True
        for delta in answer.deltas():
            delivery.send(delta)
            is_empty = False
        if is_empty and isinstance(request, PlainPrompt):  # nothing else would tell of its end
            delivery.send_message("")
    else:
        delivery.send_message(answer.text(response_type))


def _template(request: TemplateRequest | PlainPrompt) -> TemplateRequest:
    return request.template if isinstance(request, PlainPrompt) else request
