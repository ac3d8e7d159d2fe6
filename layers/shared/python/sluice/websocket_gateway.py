"""The WebSocket API's messages: a request in, frames out, for as long as the answer takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice.connections import endpoint_of
from sluice.delivery import Delivery
from sluice.error_body import websocket_frame
from sluice.errors import DeliveryError, SluiceError
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
        connections = self._connections_of(message)
        running = _Running()
        with RequestLog(message.request_id, "websocket") as log:
            delivery = Delivery(
                lambda frame: connections.post(message.connection_id, frame), running.stop
            )
            with delivery:
                self._answer_or_explain(message, delivery, running, deadline, log)
            log.note(frames=delivery.frames_sent)
            if delivery.failure is not None:
                log.failed(delivery.failure)

    def _answer_or_explain(
        self,
        message: MessageEvent,
        delivery: Delivery,
        running: _Running,
        deadline: Deadline,
        log: RequestLog,
    ) -> None:
        try:
            self._answer(message, delivery, running, deadline, log)
        except DeliveryError:
            return  # nobody is left to be told; the log is, from `delivery.failure`
        except SluiceError as error:
            log.failed(error)
            self._explain(error, message, delivery)
        except Exception as error:
            log.failed(error)
            self._explain(SluiceError("The gateway failed; its log says how."), message, delivery)
            raise

    def _explain(self, error: SluiceError, message: MessageEvent, delivery: Delivery) -> None:
        secrets = self._openai_keys.known_keys()
        frame = websocket_frame(error, secrets, message.request_id, client_id(message.body))
        if delivery.failure is None:
            delivery.send_message(frame)

    def _answer(
        self,
        message: MessageEvent,
        delivery: Delivery,
        running: _Running,
        deadline: Deadline,
        log: RequestLog,
    ) -> None:
        request = parse_websocket_request(message.body)
        if isinstance(request, Ping):
            delivery.send_message(PONG)
            return
        template = request.template if isinstance(request, PlainPrompt) else request
        body = upstream_body(template, self._settings, self._environ)
        with self._client.chat(body, deadline) as upstream:
            running.upstream = upstream
            _deliver(template, upstream, delivery, log)
        if template.response_type is ResponseType.STREAM and not isinstance(request, PlainPrompt):
            delivery.send_message(END_MARK)

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


def _deliver(
    template: TemplateRequest, upstream: UpstreamAnswer, delivery: Delivery, log: RequestLog
) -> None:
    deltas = text_deltas(upstream.headers, upstream.chunks())
    if template.response_type is ResponseType.STREAM:
        for delta in deltas:
            log.first_byte()
            delivery.send_text(delta)
    elif template.response_type is ResponseType.FULL:
        delivery.send_message(whole_text(deltas))
    else:
        delivery.send_message(first_value(template.response_type, deltas))
