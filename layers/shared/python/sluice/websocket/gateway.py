"""The WebSocket API's messages: a request in, frames out, for as long as the answer takes."""

from __future__ import annotations

import contextlib
from functools import partial

from sluice.completions.request import ResponseType, TemplateRequest
from sluice.deadline import deadline_reached
from sluice.error_body import websocket_frame
from sluice.errors import (
    Cancelled,
    ConnectionGone,
    DeadlineReached,
    DeliveryError,
    SluiceError,
    internal_error,
)
from sluice.request_log import RequestLog
from sluice.stop_signal import StopSignal
from sluice.text import utf8
from sluice.trace import UNTRACED
from sluice.websocket.answer import MessageExchange, send_answer, watched
from sluice.websocket.connections_api import POST, StageClients
from sluice.websocket.delivery import Delivery
from sluice.websocket.frames import ChatFrames, TextFrames
from sluice.websocket.owners import Owners
from sluice.websocket.posting import BackOff, post_last_word
from sluice.websocket.request import (
    Chat,
    PlainPrompt,
    Unreadable,
    client_id,
    parse_websocket_request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.access.identity import Access
    from sluice.completions.asking import ModelAnswers
    from sluice.deadline import Deadline
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.trace import Trace
    from sluice.websocket.cancellation_watch import LookTimes
    from sluice.websocket.connections_api import ConnectionsClient
    from sluice.websocket.events import MessageEvent
    from sluice.websocket.frames import FrameQueue

    Request = TemplateRequest | PlainPrompt | Chat | Unreadable

END_MARK = "<END>"
KINDS = {
    TemplateRequest: "template",
    PlainPrompt: "plain",
    Chat: "chat",
    Unreadable: "unreadable",
}


class WebSocketGateway:
    """Answers messages through @connections. Make one for the life of the process.

    connect: makes the client of an endpoint. state: where cancellations meet the functions that
    answer, if there is a store. access: limits and counts what principals use. back_off: between
    attempts to post. look_times: between looks at the store.
    """

    def __init__(
        self,
        settings: Settings,
        answers: ModelAnswers,
        connect: Callable[[str], ConnectionsClient],
        state: ConnectionState | None = None,
        access: Access | None = None,
        back_off: BackOff | None = None,
        look_times: LookTimes | None = None,
    ) -> None:
        self._answers = answers
        self._stages = StageClients(settings.api_gw_endpoint, connect)
        self._state = state
        self._owners = Owners(state, access)
        self._back_off = back_off or BackOff()
        self._look_times = look_times

    def answer(self, message: MessageEvent, deadline: Deadline, trace: Trace = UNTRACED) -> None:
        """Send the answer, or one error frame, to the connection that sent the message."""
        request = parse_websocket_request(message.body)
        frames, stop_signal = _frames_for(request), StopSignal()
        with RequestLog(
            message.request_id, "websocket", trace=trace, source_ip=message.source_ip
        ) as log:
            log.note(connection_id=message.connection_id, kind=KINDS[type(request)])
            connections = self._stages.client_of(message)
            time_is_up = StopSignal()
            post = trace.timed(
                "delivery",
                partial(connections.post, message.connection_id, stop_signal=time_is_up),
                operation=POST,
            )
            stop, back_off = stop_signal.stop, self._back_off
            delivery = Delivery(frames, post, stop, deadline, back_off, log.first_frame)
            stop_signal.listen(delivery.interrupt)
            exchange = MessageExchange(message, delivery, stop_signal, deadline, log)
            state = None if isinstance(request, Unreadable) else self._state
            # The watch lasts until everything is sent, so that no look at the store delays that.
            with watched(exchange, state, self._look_times):
                try:
                    with delivery:
                        self._answer_or_explain(request, exchange)
                finally:
                    if delivery.is_stuck:
                        time_is_up.stop(deadline_reached())
                        log.failed(deadline_reached())
                    log.note(frames=delivery.frames_sent, joined_deltas=frames.joined)
                    self._explain_failed_delivery(exchange, connections)

    def _answer_or_explain(self, request: Request, exchange: MessageExchange) -> None:
        try:
            self._answer(request, exchange)
        except DeliveryError as error:
            exchange.log.failed(error)  # see _explain_failed_delivery
        except Cancelled as error:
            self._end_cancelled(request, error, exchange)
        except SluiceError as error:
            self._explain(error, exchange)
        except Exception as error:
            exchange.log.failed(error)
            self._explain(internal_error(), exchange)
            raise

    def _answer(self, request: Request, exchange: MessageExchange) -> None:
        if isinstance(request, Unreadable):
            raise request.error
        principal = self._owners.of(exchange.message.connection_id, exchange.log)
        if principal is not None:
            exchange.log.note(**principal.logged)
        send_answer(request, self._answers, exchange, principal)

    def _end_cancelled(self, request: Request, error: Cancelled, exchange: MessageExchange) -> None:
        exchange.log.failed(error)
        if isinstance(request, Chat):
            exchange.delivery.finish(is_cancelled=True)
        else:
            exchange.delivery.send_last_message(self._error_frame(error, exchange))

    def _explain(self, error: SluiceError, exchange: MessageExchange) -> None:
        exchange.log.failed(error)
        frame, delivery = self._error_frame(error, exchange), exchange.delivery
        if isinstance(error, DeadlineReached):
            delivery.send_last_message(frame)
            return
        delivery.send_message(frame)
        with contextlib.suppress(DeliveryError):  # see _explain_failed_delivery
            try:
                delivery.wait_until_sent()
            except (DeadlineReached, Cancelled):  # what waits before it is too late, or unwanted
                delivery.drop_all_but_the_last_message()

    def _explain_failed_delivery(
        self, exchange: MessageExchange, connections: ConnectionsClient
    ) -> None:
        """Tell the client what ended its answer, over a new connection, unless the client is gone.

        That is the first error, if there was one before the delivery failed.
        """
        log, failure = exchange.log, exchange.delivery.failure
        if failure is None:
            return
        log.failed(failure)
        if any(isinstance(e, ConnectionGone) for e in (failure, exchange.stop_signal.reason)):
            return
        error = log.failure if isinstance(log.failure, SluiceError) else internal_error()
        frame = utf8(self._error_frame(error, exchange))
        connections.close()
        post = log.trace.timed(
            "delivery",
            partial(connections.post, exchange.message.connection_id),
            operation=POST,
        )
        is_sent = post_last_word(post, frame, exchange.deadline, self._back_off)
        log.note(error_sent=is_sent)

    def _error_frame(self, error: SluiceError, exchange: MessageExchange) -> str:
        message, secrets = exchange.message, self._answers.secrets()
        return websocket_frame(error, secrets, message.request_id, client_id(message.body))


def _frames_for(request: Request) -> FrameQueue:
    if isinstance(request, Chat):
        return ChatFrames(request.id)
    if isinstance(request, TemplateRequest) and request.response_type is ResponseType.STREAM:
        return TextFrames(END_MARK)
    return TextFrames()
