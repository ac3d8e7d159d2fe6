"""The @connections API of API Gateway: how a function speaks to a WebSocket client.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from sluice.aws.sigv4 import Credentials, Scope, sign
from sluice.errors import (
    ConnectionGone,
    DeliveryError,
    PostFailed,
    PostForbidden,
    PostTooLarge,
)
from sluice.http.connection import HttpConnection, origin_of
from sluice.http.http1 import HttpError, ReplyReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICE = "execute-api"
TIMEOUT_S = 30.0  # to connect, and for the reply; API Gateway itself gives up after 29 s
MAX_REST = timedelta(seconds=5)  # the longest pause of a model; a handshake takes some 10 ms
MIN_TIMEOUT_S = 0.01  # 0 would mean not to wait at all, which is another kind of socket
OK, FORBIDDEN, GONE, TOO_LARGE, TOO_MANY_REQUESTS = 200, 403, 410, 413, 429
FIRST_SERVER_ERROR = 500


def utc_now() -> datetime:
    return datetime.now(UTC)


class ConnectionsClient:
    """Posts to the connections of one API stage, over one kept HTTP connection.

    endpoint: "https://{domain}/{stage}". environ: asked for the credentials at each post, because
    Lambda renews them. trusted_certificates: a PEM file, certifi's unless given. Make one for the
    life of the process; not for several threads at once.
    """

    def __init__(
        self,
        endpoint: str,
        environ: Mapping[str, str],
        clock: Callable[[], datetime] = utc_now,
        trusted_certificates: str | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._environ = environ
        self._clock = clock
        self._used_at = clock()
        origin, _ = origin_of(self._endpoint)
        self._connection = HttpConnection(origin, trusted_certificates=trusted_certificates)
        self._is_aborted = False

    def close(self) -> None:
        """Close the kept connection; the next post opens a new one."""
        self._connection.close()

    def post(self, connection_id: str, frame: bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Send one text frame; returns when API Gateway has taken it.

        Raises ConnectionGone (410), PostForbidden (403), PostTooLarge (413: worth two frames of
        half the size), PostFailed (429, 5xx, no connection, or one that was closed in place of a
        reply: worth another try), DeliveryError (another status, or silence: the frame may well
        have arrived, and sending it again could show the client the same words twice).
        """
        url = f"{self._endpoint}/@connections/{quote(connection_id, safe='')}"
        headers = self._signed(url, frame)
        timeout = min(max(timeout_s, MIN_TIMEOUT_S), TIMEOUT_S)
        self._close_if_rested()
        try:
            if not self._connection.is_open:
                self._connection.open(timeout)
            self._connection.request("POST", origin_of(url)[1], headers, frame, timeout)
        except OSError as error:
            self.close()
            raise PostFailed("The @connections endpoint cannot be reached.") from error
        status = self._status(timeout)
        if status != OK:
            raise _refused(status)

    def abort(self) -> None:
        """Break off the post under way, from another thread; this client is of no use any more."""
        self._is_aborted = True
        self._connection.shut_down()

    def _status(self, timeout: float) -> int:
        reader = ReplyReader("POST")
        end = time.monotonic() + timeout
        try:
            while not reader.is_over:
                data = self._connection.receive(max(end - time.monotonic(), MIN_TIMEOUT_S))
                reader.feed(data) if data else reader.end()
        except (HttpError, OSError) as error:
            self.close()
            if reader.head is None:
                raise self._no_reply(error, reader) from error
        if not reader.may_keep_connection:
            self.close()
        self._used_at = self._clock()
        assert reader.head is not None  # noqa: S101 -- or it would have been raised
        return reader.head.status

    def _no_reply(self, error: Exception, reader: ReplyReader) -> DeliveryError:
        # Servers close a connection in place of a reply when they have not taken the request.
        is_closed = isinstance(error, HttpError | ConnectionError) and not reader.has_begun
        kind = PostFailed if is_closed and not self._is_aborted else DeliveryError
        return kind("API Gateway did not say whether it took a frame.")

    def _close_if_rested(self) -> None:
        """Close a connection that may have died unnoticed: a frame sent into it would be lost.

        Lambda freezes the process between events, so a connection may be gone without a sign.
        """
        if not self._connection.is_open:
            return
        if self._connection.is_stale() or self._clock() - self._used_at > MAX_REST:
            self.close()

    def _signed(self, url: str, frame: bytes) -> dict[str, str]:
        region = self._environ.get("AWS_REGION", "us-east-1")
        scope = Scope(region, SERVICE, self._clock())
        return sign("POST", url, frame, Credentials.from_environ(self._environ), scope)


def endpoint_of(domain_name: str, stage: str) -> str:
    """Where the @connections of an event's API are, unless API_GW_ENDPOINT says otherwise."""
    return f"https://{domain_name}/{stage}"


def _refused(status: int) -> DeliveryError:
    if status == GONE:
        return ConnectionGone("The client has closed its connection.")
    if status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR:
        return PostFailed(f"API Gateway refused a frame with status {status}.")
    if status == TOO_LARGE:
        return PostTooLarge("API Gateway refused a frame as too large.")
    if status == FORBIDDEN:
        action = "execute-api:ManageConnections on this API and stage"
        return PostForbidden(f"API Gateway refused a frame: the function's role needs {action}.")
    return DeliveryError(f"API Gateway refused a frame with status {status}.")
