"""The WebSocket API's messages: a request in, frames out, for as long as the answer takes."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sluice.connections import endpoint_of
from sluice.delivery import Delivery
from sluice.error_body import websocket_frame
from sluice.errors import DeadlineReached, DeliveryError, SluiceError
from sluice.model_request import ResponseType, upstream_body
from sluice.request_log import RequestLog
from sluice.response_parsers import first_value, text_deltas, whole_text
from sluice.websocket_request import Ping, PlainPrompt, client_id, parse_websocket_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.connections import ConnectionsClient
    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.model_request import TemplateRequest
    from sluice.openai_client import OpenAIClient, UpstreamAnswer
    from sluice.settings import Settings
    from sluice.websocket_events import MessageEvent

END_MARK = "<END>"
PONG = json.dumps({"type": "pong"})
WHOLE_ANSWERS = (ResponseType.STREAM, ResponseType.FULL)  # the others stop in the middle


class WebSocketGateway:
    """Answers messages through @connections. Make one for the life of the process.

    connect: gives the client for an endpoint.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: OpenAIClient,
        openai_keys: KeyRing,
        connect: Callable[[str], ConnectionsClient],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._client = client
        self._openai_keys = openai_keys
        self._connect = connect
        self._connections: dict[str, ConnectionsClient] = {}

    def answer(self, message: MessageEvent, deadline: Deadline) -> None:
        """Send the answer, or one error frame, to the connection the message came from."""
        running = _Running()
        with RequestLog(message.request_id, "websocket") as log:
            log.note(connection_id=message.connection_id)
            connections = self._connections_of(message)
            post = partial(connections.post, message.connection_id)
            with Delivery(post, running.stop, deadline) as delivery:
                exchange = _Exchange(message, delivery, running, deadline, log)
                self._answer_or_explain(exchange)
            if delivery.is_stuck:
                connections.abort()
                self._connections.clear()  # the next answer gets a connection of its own
            log.note(frames=delivery.frames_sent)
            if delivery.failure is not None:
                log.failed(delivery.failure)

    def _answer_or_explain(self, exchange: _Exchange) -> None:
        try:
            self._answer(exchange)
            exchange.delivery.wait_until_sent()
        except DeliveryError:
            return  # nobody is left to be told; the log is, from `delivery.failure`
        except SluiceError as error:
            self._explain(error, exchange)
        except Exception as error:
            exchange.log.failed(error)
            self._explain(SluiceError("The gateway failed; its log says how."), exchange)
            raise

    def _explain(self, error: SluiceError, exchange: _Exchange) -> None:
        exchange.log.failed(error)
        message, delivery = exchange.message, exchange.delivery
        secrets = self._openai_keys.known_keys()
        frame = websocket_frame(error, secrets, message.request_id, client_id(message.body))
        if isinstance(error, DeadlineReached):
            delivery.send_last_message(frame)
            return
        with contextlib.suppress(DeliveryError):  # the client has gone: the log is enough
            try:
                delivery.send_message(frame)
                delivery.wait_until_sent()
            except DeadlineReached:
                delivery.drop_all_but_the_last_message()

    def _answer(self, exchange: _Exchange) -> None:
        request = parse_websocket_request(exchange.message.body)
        if isinstance(request, Ping):
            exchange.delivery.send_message(PONG)
            return
        template = request.template if isinstance(request, PlainPrompt) else request
        secrets = self._openai_keys.keys() + self._settings.forward_keys.plain
        body = upstream_body(template, self._settings, self._environ, secrets)
        with self._client.chat(body, exchange.deadline) as upstream:
            exchange.running.upstream = upstream
            _deliver(template, upstream, exchange)
            is_marked = not isinstance(request, PlainPrompt)
            if template.response_type is ResponseType.STREAM and is_marked:
                exchange.delivery.send_message(END_MARK)
            if template.response_type in WHOLE_ANSWERS:
                upstream.finish()

    def _connections_of(self, message: MessageEvent) -> ConnectionsClient:
        own = self._settings.api_gw_endpoint
        endpoint = own or endpoint_of(message.domain_name, message.stage)
        if endpoint not in self._connections:
            self._connections[endpoint] = self._connect(endpoint)
        return self._connections[endpoint]


class _Running:
    """The upstream answer that a failed delivery has to stop, once there is one."""

    upstream: UpstreamAnswer | None = None

    def stop(self, reason: SluiceError) -> None:
        if self.upstream is not None:
            self.upstream.stop(reason)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One message and all that its answer needs."""

    message: MessageEvent
    delivery: Delivery
    running: _Running
    deadline: Deadline
    log: RequestLog


def _deliver(template: TemplateRequest, upstream: UpstreamAnswer, exchange: _Exchange) -> None:
    deltas = text_deltas(upstream.headers, upstream.chunks())
    if template.response_type is ResponseType.STREAM:
        for delta in deltas:
            exchange.log.first_byte()
            exchange.delivery.send_text(delta)
    elif template.response_type is ResponseType.FULL:
        exchange.delivery.send_message(whole_text(deltas))
    else:
        exchange.delivery.send_message(first_value(template.response_type, deltas))
