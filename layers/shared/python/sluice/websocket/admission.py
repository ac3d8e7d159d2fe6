"""$connect and $disconnect: accepts clients, and records their connections for other functions."""

from __future__ import annotations

from sluice.authentication import Principal
from sluice.errors import SettingsError, SluiceError, StateUnavailable
from sluice.named_tuple import NamedTuple
from sluice.request_log import RequestLog
from sluice.state.connections import ConnectionOwner
from sluice.trace import UNTRACED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sluice.access.identity import Access
    from sluice.settings import Settings
    from sluice.state.connections import ConnectionState
    from sluice.trace import Trace
    from sluice.websocket.events import ConnectRequest, DisconnectEvent

ANONYMOUS = "anonymous"


class Admission(NamedTuple):
    """The result of a $connect."""

    principal: Principal | None
    """Who connects; None if the client is rejected."""
    answer: dict[str, Any]
    """API Gateway opens the connection only with status 200."""
    is_recorded: bool = False
    """Whether the store has the principal already."""


def admit(
    request: ConnectRequest,
    settings: Settings,
    access: Access,
    state: ConnectionState | None = None,
    trace: Trace = UNTRACED,
) -> Admission:
    """Accept or reject a client.

    A principal whose requests are counted, or have answers of its own in the cache, is recorded at
    once: its first message must find it.

    With aws_iam, API Gateway passes only signed requests and names who signed. A request without a
    name is rejected: the route does not require signatures (yet).

    A browser that offers sub-protocols disconnects unless it gets one of them.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html
    """
    with RequestLog(request.request_id, "connect", trace=trace) as log:
        log.note(connection_id=request.connection_id)
        try:
            principal = _principal(request, settings, access)
            is_recorded = _record_first(request, principal, settings, access, state, log)
        except SluiceError as error:
            log.failed(error)
            return Admission(None, {"statusCode": error.http_status})
        log.note(**principal.logged)
    protocol = request.chosen_protocol
    headers = {"Sec-WebSocket-Protocol": protocol} if protocol else {}
    return Admission(principal, {"statusCode": 200, "headers": headers}, is_recorded)


def _record_first(
    request: ConnectRequest,
    principal: Principal,
    settings: Settings,
    access: Access,
    state: ConnectionState | None,
    log: RequestLog,
) -> bool:
    if state is None or not access.needs_owner(principal):
        return False
    try:
        state.opened(request.connection_id, ConnectionOwner(*principal))
    except StateUnavailable as error:
        if principal.has_record or settings.store_failure == "refuse":
            raise
        log.note(state=error.message, is_counted=False)
    return True


def _principal(request: ConnectRequest, settings: Settings, access: Access) -> Principal:
    """Who connects. Raises SluiceError if they may not."""
    if settings.ip_whitelist or settings.ip_blacklist:
        from sluice.access.source_address import check_address  # noqa: PLC0415 -- few set either

        check_address(request.source_ip, settings)
    if settings.websocket_auth == "forward_key":
        return access.of_key(request.presented_key)
    if request.user_arn:
        return access.of_signer(request.user_arn)
    if settings.websocket_auth == "aws_iam":
        rule = "is aws_iam, but the $connect route takes unsigned requests"
        raise SettingsError("WEBSOCKET_AUTH", rule, hint="Deploy again.")
    return Principal(ANONYMOUS, ANONYMOUS)


def record_opened(
    request: ConnectRequest,
    principal: Principal,
    state: ConnectionState,
    trace: Trace = UNTRACED,
) -> None:
    """Record whose connection this is. A failure is logged and does no harm."""
    log = RequestLog(request.request_id, "connect_record", trace=trace)
    try:
        state.opened(request.connection_id, ConnectionOwner(*principal))
    except StateUnavailable as error:
        with log:
            log.note(connection_id=request.connection_id)
            log.failed(error)


def record_closed(
    event: DisconnectEvent, state: ConnectionState | None, trace: Trace = UNTRACED
) -> None:
    """Log the end of a connection, and record it so that other functions stop its answers."""
    with RequestLog(event.request_id, "disconnect", trace=trace) as log:
        log.note(
            connection_id=event.connection_id,
            disconnect_status_code=event.status_code,
        )
        try:
            if state is not None:
                state.closed(event.connection_id)
        except StateUnavailable as error:
            log.failed(error)
