"""$connect: who is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.authentication import check_key
from sluice.errors import SluiceError
from sluice.request_log import RequestLog

if TYPE_CHECKING:
    from sluice.key_ring import KeyRing
    from sluice.settings import Settings
    from sluice.websocket_events import ConnectRequest


def admit(request: ConnectRequest, settings: Settings, forward_keys: KeyRing) -> dict[str, Any]:
    """The answer to $connect: API Gateway opens the connection on status 200 only.

    With aws_iam API Gateway has let only signed requests come here.

    A client that offers sub-protocols must be given one of them, or its browser hangs up.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html
    """
    with RequestLog(request.request_id, "connect") as log:
        log.note(connection_id=request.connection_id)
        try:
            if settings.websocket_auth == "forward_key":
                check_key(request.presented_key, forward_keys.keys())
        except SluiceError as error:
            log.failed(error)
            return {"statusCode": error.http_status}
    protocol = request.chosen_protocol
    headers = {"Sec-WebSocket-Protocol": protocol} if protocol else {}
    return {"statusCode": 200, "headers": headers}
