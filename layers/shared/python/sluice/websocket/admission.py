"""$connect and $disconnect: accepts clients, and records their connections for other functions."""

from __future__ import annotations

from sluice.authentication import check_key, key_name
from sluice.errors import SettingsError, SluiceError, StateUnavailable
from sluice.named_tuple import NamedTuple
from sluice.request_log import RequestLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sluice.key_ring import KeyRing
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.websocket.events import ConnectRequest, DisconnectEvent

ANONYMOUS = "anonymous"


class Admission(NamedTuple):
    """The result of a $connect."""

    principal: str | None
    """Who connects; None if the client is rejected."""
    answer: dict[str, Any]
    """API Gateway opens the connection only with status 200."""


def admit(request: ConnectRequest, settings: Settings, forward_keys: KeyRing) -> Admission:
    """Accept or reject a client.

    With aws_iam, API Gateway passes only signed requests and names who signed. A request without a
    name is rejected: the route does not require signatures (yet).

    A browser that offers sub-protocols disconnects unless it gets one of them.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html
    """
    with RequestLog(request.request_id, "connect") as log:
        log.note(connection_id=request.connection_id)
        try:
            principal = _principal(request, settings.websocket_auth, forward_keys)
        except SluiceError as error:
            log.failed(error)
            return Admission(None, {"statusCode": error.http_status})
        log.note(principal=principal)
    protocol = request.chosen_protocol
    headers = {"Sec-WebSocket-Protocol": protocol} if protocol else {}
    return Admission(principal, {"statusCode": 200, "headers": headers})


def _principal(request: ConnectRequest, websocket_auth: str, forward_keys: KeyRing) -> str:
    """Who connects, by a name that is not a secret. Raises SluiceError if they may not."""
    if websocket_auth == "forward_key":
        key = request.presented_key
        check_key(key, forward_keys.keys)
        return key_name(key or "")
    if websocket_auth == "aws_iam" and not request.user_arn:
        rule = "is aws_iam, but the $connect route takes unsigned requests"
        raise SettingsError("WEBSOCKET_AUTH", rule, hint="Deploy again.")
    return request.user_arn or ANONYMOUS


def record_opened(request: ConnectRequest, principal: str, state: ConnectionState) -> None:
    """Record whose connection this is. A failure is logged and does no harm."""
    log = RequestLog(request.request_id, "connect_record")
    try:
        state.opened(request.connection_id, principal)
    except StateUnavailable as error:
        with log:
            log.note(connection_id=request.connection_id)
            log.failed(error)


def record_closed(event: DisconnectEvent, state: ConnectionState | None) -> None:
    """Log the end of a connection, and record it so that other functions stop its answers."""
    with RequestLog(event.request_id, "disconnect") as log:
        log.note(
            connection_id=event.connection_id,
            disconnect_status_code=event.status_code,
        )
        try:
            if state is not None:
                state.closed(event.connection_id)
        except StateUnavailable as error:
            log.failed(error)
