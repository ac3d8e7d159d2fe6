"""Messages about other messages: a cancellation is recorded, a ping is answered."""

from __future__ import annotations

from sluice.error_body import websocket_frame
from sluice.errors import (
    ConnectionGone,
    DeliveryError,
    SluiceError,
    StateUnavailable,
    internal_error,
)
from sluice.request_log import RequestLog
from sluice.trace import UNTRACED
from sluice.websocket.connections_api import POST, StageClients
from sluice.websocket.posting import BackOff, post_last_word, post_with_retries
from sluice.websocket.request import Cancel, Ping, Unreadable, client_id, parse_control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.deadline import Deadline
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.trace import Trace
    from sluice.websocket.connections_api import ConnectionsClient
    from sluice.websocket.events import MessageEvent

PONG = '{"type": "pong"}'
KINDS = {Cancel: "cancel", Ping: "ping", Unreadable: "unreadable"}


class ControlGateway:
    """Answers the routes cancel and ping. Make one for the life of the process.

    connect: makes the client of an endpoint. state: where answers find their cancellation, if there
    is a store. back_off: between attempts to post.
    """

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[str], ConnectionsClient],
        state: ConnectionState | None,
        back_off: BackOff | None = None,
    ) -> None:
        self._stages = StageClients(settings.api_gw_endpoint, connect)
        self._state = state
        self._back_off = back_off or BackOff()

    def answer(self, message: MessageEvent, deadline: Deadline, trace: Trace = UNTRACED) -> None:
        """Do what the message says. Only a ping and an error get a frame."""
        request = parse_control(message.body)
        with RequestLog(message.request_id, "websocket", trace=trace) as log:
            log.note(connection_id=message.connection_id, kind=KINDS[type(request)])
            try:
                frame = self._frame(request, message)
            except SluiceError as error:
                log.failed(error)
                frame = _error_frame(error, message)
            except Exception as error:
                log.failed(error)
                self._post(_error_frame(internal_error(), message), message, deadline, log)
                raise
            if frame is not None:
                self._post(frame, message, deadline, log)

    def _frame(self, request: Cancel | Ping | Unreadable, message: MessageEvent) -> str | None:
        if isinstance(request, Unreadable):
            raise request.error
        if isinstance(request, Ping):
            return PONG
        self._cancel(request, message)
        return None

    def _cancel(self, request: Cancel, message: MessageEvent) -> None:
        """Record the cancellation. The request's own last frame is the reply."""
        if self._state is None:
            raise StateUnavailable(
                "Cancelling requires a state store. Set STATE_TABLE or STATE_FILE."
            )
        self._state.cancelled(message.connection_id, request.id, message.at_ms)

    def _post(self, frame: str, message: MessageEvent, deadline: Deadline, log: RequestLog) -> None:
        connections, data = self._stages.client_of(message), frame.encode()

        def post(frame: bytes, seconds: float) -> None:
            connections.post(message.connection_id, frame, seconds)

        post = log.trace.timed("delivery", post, operation=POST)
        try:
            post_with_retries(post, data, deadline, self._back_off)
        except DeliveryError as error:
            log.failed(error)
            if not isinstance(error, ConnectionGone):
                connections.close()
                # A second pong does no harm. Without one, the client would give up the connection.
                log.note(error_sent=post_last_word(post, data, deadline, self._back_off))


def _error_frame(error: SluiceError, message: MessageEvent) -> str:
    return websocket_frame(error, (), message.request_id, client_id(message.body))
