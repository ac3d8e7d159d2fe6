"""API Gateway's WebSocket events, as values.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
"""

from __future__ import annotations

from sluice.authentication import is_key_protocol, key_of_headers, key_of_protocols
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ConnectRequest(NamedTuple):
    """A client that connects. Header names are in lower case."""

    connection_id: str
    request_id: str
    headers: dict[str, str]
    query: dict[str, str]
    user_arn: str = ""
    """Who signed, if the route is IAM-authorized; otherwise empty."""
    source_ip: str = ""

    @property
    def protocols(self) -> list[str]:
        """The sub-protocols the client offers, in its order (RFC 6455 section 4.1)."""
        offered = self.headers.get("sec-websocket-protocol", "").split(",")
        return [name.strip() for name in offered if name.strip()]

    @property
    def presented_key(self) -> str | None:
        """The key in the Authorization header, in ?key=, or in the sub-protocol bearer.KEY."""
        in_header = key_of_headers(self.headers)
        return in_header or self.query.get("key") or key_of_protocols(self.protocols)

    @property
    def chosen_protocol(self) -> str | None:
        """The first real sub-protocol: one must be chosen if any is offered."""
        return next((name for name in self.protocols if not is_key_protocol(name)), None)


class MessageEvent(NamedTuple):
    """A message of a client."""

    connection_id: str
    request_id: str
    domain_name: str
    stage: str
    body: str
    at_ms: int
    """When API Gateway received it, in Unix time: one clock for all messages of a connection."""
    source_ip: str = ""


class DisconnectEvent(NamedTuple):
    """The end of a connection. API Gateway does not guarantee this event."""

    connection_id: str
    request_id: str
    status_code: int | None
    """The close frame's (RFC 6455 section 7.4), or 1005 or 1006 without one."""


def parse_connect(event: dict[str, Any]) -> ConnectRequest:
    """Read a $connect event. Raises KeyError for any other event."""
    context, headers = event["requestContext"], event.get("headers") or {}
    return ConnectRequest(
        connection_id=context["connectionId"],
        request_id=context["requestId"],
        headers={name.lower(): value for name, value in headers.items()},
        query=event.get("queryStringParameters") or {},
        user_arn=context.get("identity", {}).get("userArn") or "",
        source_ip=context.get("identity", {}).get("sourceIp") or "",
    )


def parse_disconnect(event: dict[str, Any]) -> DisconnectEvent:
    """Read a $disconnect event. Raises KeyError for any other event."""
    context = event["requestContext"]
    return DisconnectEvent(
        connection_id=context["connectionId"],
        request_id=context["requestId"],
        status_code=context.get("disconnectStatusCode"),
    )


def parse_message(event: dict[str, Any]) -> MessageEvent:
    """Read the event of a message route. Raises KeyError for any other event."""
    context = event["requestContext"]
    return MessageEvent(
        connection_id=context["connectionId"],
        request_id=context["requestId"],
        domain_name=context["domainName"],
        stage=context["stage"],
        body=event.get("body") or "",
        at_ms=context["requestTimeEpoch"],
        source_ip=context.get("identity", {}).get("sourceIp") or "",
    )
