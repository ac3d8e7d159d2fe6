"""The WebSocket API's messages: a request in, frames out, for as long as the answer takes."""

from __future__ import annotations

import contextlib
import json
from functools import partial

from sluice.completions.request import ResponseType, TemplateRequest
from sluice.deadline import deadline_reached
from sluice.error_body import websocket_frame
from sluice.errors import (
    Cancelled,
    DeadlineReached,
    DeliveryError,
    SluiceError,
    StateUnavailable,
)
from sluice.request_log import RequestLog
from sluice.stop_signal import StopSignal
from sluice.websocket.answer import MessageExchange, send_answer, watched
from sluice.websocket.connections_api import endpoint_of
from sluice.websocket.delivery import Delivery
from sluice.websocket.frames import ChatFrames, TextFrames
from sluice.websocket.request import (
    Cancel,
    Chat,
    Ping,
    PlainPrompt,
    Unreadable,
    client_id,
    parse_websocket_request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.completions.answer import ModelAnswers
    from sluice.deadline import Deadline
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.websocket.cancellation_watch import LookTimes
    from sluice.websocket.connections_api import ConnectionsClient
    from sluice.websocket.delivery import BackOff
    from sluice.websocket.events import MessageEvent
    from sluice.websocket.frames import FrameQueue

    Request = TemplateRequest | PlainPrompt | Chat | Cancel | Ping | Unreadable

END_MARK = "<END>"
PONG = json.dumps({"type": "pong"})
KINDS = {
    TemplateRequest: "template",
    PlainPrompt: "plain",
    Chat: "chat",
    Cancel: "cancel",
    Ping: "ping",
    Unreadable: "unreadable",
}


class WebSocketGateway:
    """Answers messages through @connections. Make one for the life of the process.

    connect: makes the client of an endpoint. state: where cancellations meet the functions that
    answer, if there is a store. back_off: between attempts to post. look_times: between looks at
    the store.
    """

    def __init__(
        self,
        settings: Settings,
        answers: ModelAnswers,
        connect: Callable[[str], ConnectionsClient],
        state: ConnectionState | None = None,
        back_off: BackOff | None = None,
        look_times: LookTimes | None = None,
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._connect = connect
        self._state = state
        self._back_off = back_off
        self._look_times = look_times
        self._connections: dict[str, ConnectionsClient] = {}

    def answer(self, message: MessageEvent, deadline: Deadline) -> None:
        """Send the answer, or one error frame, to the connection that sent the message."""
        request = parse_websocket_request(message.body)
        frames, stop_signal = _frames_for(request), StopSignal()
        with RequestLog(message.request_id, "websocket") as log:
            log.note(connection_id=message.connection_id, kind=KINDS[type(request)])
            connections = self._connections_of(message)
            time_is_up = StopSignal()
            post = partial(connections.post, message.connection_id, stop_signal=time_is_up)
            stop, back_off = stop_signal.stop, self._back_off
            with Delivery(frames, post, stop, deadline, back_off, log.first_frame) as delivery:
                stop_signal.listen(delivery.interrupt)
                exchange = MessageExchange(message, delivery, stop_signal, deadline, log)
                self._answer_or_explain(request, exchange)
            if delivery.is_stuck:
                time_is_up.stop(deadline_reached())
                log.failed(deadline_reached())
            log.note(frames=delivery.frames_sent, joined_deltas=frames.joined)
            if delivery.failure is not None:
                log.failed(delivery.failure)

    def _answer_or_explain(self, request: Request, exchange: MessageExchange) -> None:
        needs_model = isinstance(request, TemplateRequest | PlainPrompt | Chat)
        # The watch lasts until an error is sent, so that no look at the store delays that.
        with watched(exchange, self._state if needs_model else None, self._look_times):
            try:
                self._answer(request, exchange)
            except DeliveryError as error:
                exchange.log.failed(error)  # the client is gone
            except Cancelled as error:
                self._end_cancelled(request, error, exchange)
            except SluiceError as error:
                self._explain(error, exchange)
            except Exception as error:
                exchange.log.failed(error)
                self._explain(SluiceError("The gateway failed. Its log says why."), exchange)
                raise

    def _answer(self, request: Request, exchange: MessageExchange) -> None:
        if isinstance(request, Unreadable):
            raise request.error
        if isinstance(request, Ping):
            exchange.delivery.send_message(PONG)
        elif isinstance(request, Cancel):
            self._cancel(request, exchange.message)
        else:
            send_answer(request, self._answers, exchange)

    def _cancel(self, request: Cancel, message: MessageEvent) -> None:
        """Record the cancellation. The request's own last frame is the reply."""
        if self._state is None:
            raise StateUnavailable(
                "Cancelling requires a state store. Set STATE_TABLE or STATE_FILE."
            )
        self._state.cancelled(message.connection_id, request.id, message.at_ms)

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
        with contextlib.suppress(DeliveryError):  # the client is gone
            try:
                delivery.wait_until_sent()
            except (DeadlineReached, Cancelled):  # what waits before it is too late, or unwanted
                delivery.drop_all_but_the_last_message()

    def _error_frame(self, error: SluiceError, exchange: MessageExchange) -> str:
        message, secrets = exchange.message, self._answers.secrets()
        return websocket_frame(error, secrets, message.request_id, client_id(message.body))

    def _connections_of(self, message: MessageEvent) -> ConnectionsClient:
        own = self._settings.api_gw_endpoint
        endpoint = own or endpoint_of(message.domain_name, message.stage)
        if endpoint not in self._connections:
            self._connections[endpoint] = self._connect(endpoint)
        return self._connections[endpoint]


def _frames_for(request: Request) -> FrameQueue:
    if isinstance(request, Chat):
        return ChatFrames(request.id)
    if isinstance(request, TemplateRequest) and request.response_type is ResponseType.STREAM:
        return TextFrames(END_MARK)
    return TextFrames()
