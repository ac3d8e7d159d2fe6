"""The @connections API of API Gateway: how a function speaks to a WebSocket client.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import certifi
import urllib3
from urllib3.exceptions import HTTPError

from sluice.errors import ConnectionGone, PostFailed, PostForbidden
from sluice.sigv4 import Credentials, Scope, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICE = "execute-api"
CONNECT_TIMEOUT_S = 5.0  # the endpoint is in the same region
READ_TIMEOUT_S = 30.0  # API Gateway's own integration limit is 29 s
OK, GONE, FORBIDDEN, TOO_MANY_REQUESTS = 200, 410, 403, 429
FIRST_SERVER_ERROR = 500


def utc_now() -> datetime:
    return datetime.now(UTC)


class ConnectionsClient:
    """Posts to the connections of one API stage, over one kept HTTP connection.

    endpoint: "https://{domain}/{stage}". environ: asked for the credentials at each post, because
    Lambda renews them. Make one for the life of the process; not for several threads at once.
    """

    def __init__(
        self,
        endpoint: str,
        environ: Mapping[str, str],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._environ = environ
        self._clock = clock
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        # One manager, one connection: posts to a client must arrive in order.
        self._http = urllib3.PoolManager(
            num_pools=1, maxsize=1, timeout=timeout, retries=False, ca_certs=certifi.where()
        )

    def post(self, connection_id: str, frame: bytes) -> None:
        """Send one text frame; returns when API Gateway has taken it.

        Raises ConnectionGone (410), PostForbidden (403), PostFailed (429, 5xx, no answer: worth
        another try).
        """
        url = f"{self._endpoint}/@connections/{quote(connection_id, safe='')}"
        try:
            reply = self._http.request("POST", url, body=frame, headers=self._signed(url, frame))
        except (HTTPError, OSError) as error:
            raise PostFailed("The @connections endpoint cannot be reached.") from error
        if reply.status != OK:
            raise _refused(reply.status)

    def _signed(self, url: str, frame: bytes) -> dict[str, str]:
        region = self._environ.get("AWS_REGION", "us-east-1")
        scope = Scope(region, SERVICE, self._clock())
        return sign("POST", url, frame, Credentials.from_environ(self._environ), scope)


def endpoint_of(domain_name: str, stage: str) -> str:
    """Where the @connections of an event's API are, unless API_GW_ENDPOINT says otherwise."""
    return f"https://{domain_name}/{stage}"


def _refused(status: int) -> Exception:
    if status == GONE:
        return ConnectionGone("The client has closed its connection.")
    if status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR:
        return PostFailed(f"API Gateway refused a frame with status {status}.")
    action = "execute-api:ManageConnections on this API and stage"
    hint = f": the function's role needs {action}" if status == FORBIDDEN else ""
    return PostForbidden(f"API Gateway refused a frame with status {status}{hint}.")
