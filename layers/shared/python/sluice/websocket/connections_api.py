"""The @connections API of API Gateway: how a function speaks to a WebSocket client.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import time

from sluice.aws.sigv4 import Credentials, Scope, sign
from sluice.errors import (
    ConnectionGone,
    DeliveryError,
    PostFailed,
    PostForbidden,
    PostTooLarge,
    PostUnconfirmed,
)
from sluice.http.errors import NoReply, TransportError, UntrustedCertificate
from sluice.http.transport import HttpRequest, HttpTransport, Waits
from sluice.http.urls import percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.stop_signal import StopSignal
    from sluice.websocket.events import MessageEvent

SERVICE = "execute-api"
POST = "PostToConnection"
"""AWS's name of a post."""
TIMEOUT_S = 2.0
"""Timeout of a post, in seconds. API Gateway takes a frame in milliseconds, and says 429 where a
client is too slow. The client waits for the error meanwhile."""
MIN_TIMEOUT_S = 0.01  # for the last attempt, when the deadline has come
MAX_REST_S = 5.0
"""How long a connection may rest before its next frame, in seconds: longer than most pauses of a
model. Lambda freezes the process between events, so an older connection may be gone without a sign,
and a frame sent into it would be lost. A new handshake takes some 10 ms."""
MAX_ERROR_BYTES = 4 * 1024  # the part of an error's body that may name it
GONE_EXCEPTION = "GoneException"  # AWS's name; a proxy may pass it on under another status
OK, FORBIDDEN, GONE, TOO_LARGE, TOO_MANY_REQUESTS = 200, 403, 410, 413, 429
FIRST_SERVER_ERROR = 500


class ConnectionsClient:
    """Posts to the connections of one API stage, over kept HTTP connections.

    endpoint: "https://{domain}/{stage}". environ: read for the credentials at each post, because
    Lambda renews them. trusted_certificates: see client_context. Make one for the life of the
    process.
    """

    def __init__(
        self,
        endpoint: str,
        environ: Mapping[str, str],
        trusted_certificates: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._environ = environ
        self._clock = clock
        self._transport = HttpTransport(
            trusted_certificates=trusted_certificates,
            max_rest_s=MAX_REST_S,
            may_repeat=False,  # a frame must not be posted twice
            reads_bodies=True,
            clock=clock,
        )

    def close(self) -> None:
        """Close the kept connections; the next post opens a new one."""
        self._transport.close()

    def post(
        self,
        connection_id: str,
        frame: bytes,
        timeout_s: float = TIMEOUT_S,
        stop_signal: StopSignal | None = None,
    ) -> None:
        """Send one text frame; returns when API Gateway has taken it.

        stop_signal: ends the post from another thread. Raises ConnectionGone (410), PostForbidden
        (403), PostTooLarge (413: worth two frames of half the size), PostFailed (429, 5xx, no
        connection, or one that was closed instead of a reply: worth another attempt),
        PostUnconfirmed (half a reply, none in HTTP, or silence: the frame may have arrived, and
        sending it again could show the client the same words twice), DeliveryError (any other
        status).
        """
        url = f"{self._endpoint}/@connections/{percent_encoded(connection_id)}"
        request = HttpRequest("POST", url, self._signed(url, frame), frame)
        timeout = min(max(timeout_s, MIN_TIMEOUT_S), TIMEOUT_S)
        waits = Waits(timeout, timeout, timeout, time.monotonic() + timeout)
        try:
            reply = self._transport.send(request, waits, stop_signal)
        except TransportError as error:
            raise _post_error(error) from error.__cause__
        body = b""
        try:
            while data := reply.read():
                body += data[: MAX_ERROR_BYTES - len(body)]
        except TransportError:
            pass  # the status is what counts
        finally:
            reply.close()
        if reply.status != OK:
            named = reply.headers.get("x-amzn-errortype", "") + body.decode("latin-1")
            raise _status_error(GONE if GONE_EXCEPTION in named else reply.status)

    def _signed(self, url: str, frame: bytes) -> dict[str, str]:
        region = self._environ.get("AWS_REGION", "us-east-1")
        scope = Scope(region, SERVICE, self._clock())
        return sign("POST", url, frame, Credentials.from_environ(self._environ), scope)


class StageClients:
    """The client of each API stage, made at its first message.

    own_endpoint: API_GW_ENDPOINT, which counts instead of the events' stages. connect: makes the
    client of an endpoint.
    """

    def __init__(self, own_endpoint: str, connect: Callable[[str], ConnectionsClient]) -> None:
        self._own_endpoint = own_endpoint
        self._connect = connect
        self._clients: dict[str, ConnectionsClient] = {}

    def client_of(self, message: MessageEvent) -> ConnectionsClient:
        endpoint = self._own_endpoint or endpoint_of(message.domain_name, message.stage)
        if endpoint not in self._clients:
            self._clients[endpoint] = self._connect(endpoint)
        return self._clients[endpoint]


def endpoint_of(domain_name: str, stage: str) -> str:
    """Where the @connections of an event's API are, unless API_GW_ENDPOINT says otherwise."""
    return f"https://{domain_name}/{stage}"


def _post_error(error: TransportError) -> DeliveryError:
    if isinstance(error, UntrustedCertificate):
        return DeliveryError(
            f"The certificate of the @connections endpoint cannot be verified: {error.reason}."
        )
    if not error.was_sent:
        return PostFailed("The @connections endpoint cannot be reached.")
    # Servers close a connection instead of replying when they have not taken the request.
    is_untaken = isinstance(error, NoReply) and not error.has_begun
    kind = PostFailed if is_untaken else PostUnconfirmed
    return kind("API Gateway did not say whether it took a frame.")


def _status_error(status: int) -> DeliveryError:
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
