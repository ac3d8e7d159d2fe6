"""The @connections client against a socket, its signature judged by botocore."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.limits import POST_DRAIN_TIMEOUT_S
from sluice.errors import (
    ConnectionGone,
    DeadlineReached,
    DeliveryError,
    PostFailed,
    PostForbidden,
    PostTooLarge,
    PostUnconfirmed,
)
from sluice.stop_signal import StopSignal
from sluice.websocket.connections_api import TIMEOUT_S, ConnectionsClient, endpoint_of
from tests.scripted_upstream import (
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    dies_after,
    refused_url,
    replies,
    scripted_upstream,
    silent_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sluice.certificate_authority import CertificateAuthority

NOW = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC).timestamp()
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Iterator[ConnectionsClient]:
    upstream.script = replies(200, {})
    endpoint = upstream.url.replace("/v1", "/prod")
    with closing(ConnectionsClient(endpoint, ENVIRON, clock=lambda: NOW)) as connections:
        yield connections


def test_post_is_signed_as_botocore_signs_it(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    client.post("IjAIcdplCYcCFxw=", "wörld".encode())
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", "/prod/@connections/IjAIcdplCYcCFxw%3D")
    assert request.body == "wörld".encode()
    host = request.headers["host"]
    reference = AWSRequest("POST", f"http://{host}{request.target}", data=request.body)
    reference.headers["X-Amz-Date"] = "20261120T080000Z"
    reference.headers["X-Amz-Security-Token"] = "token"
    reference.context["timestamp"] = "20261120T080000Z"
    auth = SigV4Auth(Credentials("AKID", "secret", "token"), "execute-api", "eu-west-1")
    to_sign = auth.string_to_sign(reference, auth.canonical_request(reference))
    signature = auth.signature(to_sign, reference)
    assert request.headers["authorization"].endswith(f"Signature={signature}")


def test_refusal_has_its_meaning(upstream: ScriptedUpstream, client: ConnectionsClient) -> None:
    meanings: dict[int, tuple[type[DeliveryError], str]] = {
        410: (ConnectionGone, "closed"),
        429: (PostFailed, "429"),
        500: (PostFailed, "500"),
        503: (PostFailed, "503"),
        403: (PostForbidden, "execute-api:ManageConnections"),
        413: (PostTooLarge, "too large"),
        404: (DeliveryError, "404"),
    }
    for status, (error, words) in meanings.items():
        upstream.script = replies(status, {"message": "no"})
        with pytest.raises(error, match=words) as caught:
            client.post("id", b"x")
        assert type(caught.value) is error


@pytest.mark.parametrize("posts_before", [0, 1])
def test_connection_closed_in_place_of_a_reply_is_worth_another_attempt(
    upstream: ScriptedUpstream, client: ConnectionsClient, posts_before: int
) -> None:
    for _ in range(posts_before):
        client.post("id", b"before")
    upstream.script = lambda _request, connection: connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(PostFailed, match="did not say"):
        client.post("id", b"x")
    upstream.script = replies(200, {})
    client.post("id", b"x")
    assert [request.body for request in upstream.requests[posts_before:]] == [b"x", b"x"]


def test_reply_that_does_not_say_what_became_of_the_frame_is_not_worth_another_attempt(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    tls_alert = b"\x15\x03\x03\x00\x02\x02\x50"
    for reply in (b"HTTP/1.1 200 OK\r\nConte", b"HT", b"HTTP/1.1 okay\r\n\r\n", tls_alert):
        upstream.script = dies_after(reply)
        with pytest.raises(PostUnconfirmed):
            client.post("id", b"x")


def test_client_that_is_gone_may_be_named_under_another_status(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    for script in (
        replies(400, {}, x_amzn_ErrorType="GoneException"),
        replies(502, {"__type": "GoneException", "message": "x" * 100_000}),
        dies_after(b"HTTP/1.1 410 Gone\r\nContent-Length: 99\r\n\r\n"),
    ):
        upstream.script = script
        with pytest.raises(ConnectionGone):
            client.post("id", b"x")


def test_reply_whose_body_is_lost_is_a_reply(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    upstream.script = dies_after(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
    client.post("id", b"one")
    upstream.script = replies(200, {})
    client.post("id", b"two")
    assert [request.body for request in upstream.requests] == [b"one", b"two"]


def test_connection_that_rested_is_not_trusted_with_a_frame(upstream: ScriptedUpstream) -> None:
    ports = []

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.append(connection.getpeername())
        replies(200, {})(request, connection)

    upstream.script = script
    times = [NOW]
    endpoint = upstream.url.replace("/v1", "/prod")
    with closing(ConnectionsClient(endpoint, ENVIRON, clock=lambda: times[-1])) as client:
        for seconds in (0, 4, 8, 14):
            times.append(NOW + seconds)
            client.post("id", b"x")
    assert [ports.index(port) for port in ports] == [0, 0, 0, 3]


def test_post_under_way_is_stopped_by_another_thread(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    asked, done, stop_signal = threading.Event(), threading.Event(), StopSignal()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        asked.set()
        silent_until(done)(request, connection)

    def stop_once_asked() -> None:
        asked.wait(PATIENCE_S)
        stop_signal.stop(DeadlineReached("Time is over."))

    upstream.script = script
    stopping = threading.Thread(target=stop_once_asked)
    stopping.start()
    with pytest.raises(PostUnconfirmed, match="did not say"):
        client.post("id", b"x", stop_signal=stop_signal)
    stopping.join()
    done.set()
    with pytest.raises(PostFailed):
        client.post("id", b"late", stop_signal=stop_signal)
    upstream.script = replies(200, {})
    client.post("id", b"y")
    assert [request.body for request in upstream.requests] == [b"x", b"y"]


def test_reply_is_waited_for_no_longer_than_told(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    done = threading.Event()
    upstream.script = silent_until(done)
    with pytest.raises(PostUnconfirmed, match="did not say"):
        client.post("id", b"x", timeout_s=0.05)
    done.set()


def test_credentials_that_lambda_renews_sign_the_next_post(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(200, {})
    environ = dict(ENVIRON)
    with closing(ConnectionsClient(upstream.url.replace("/v1", ""), environ)) as client:
        client.post("id", b"x")
        environ.update(AWS_ACCESS_KEY_ID="NEXT", AWS_SESSION_TOKEN="next-token")
        client.post("id", b"x")
    first, second = (request.headers for request in upstream.requests)
    assert "Credential=AKID/" in first["authorization"]
    assert "Credential=NEXT/" in second["authorization"]
    assert (first["x-amz-security-token"], second["x-amz-security-token"]) == (
        "token",
        "next-token",
    )


def test_endpoint_that_is_not_there_is_worth_another_try() -> None:
    with pytest.raises(PostFailed, match="cannot be reached"):
        ConnectionsClient(refused_url(), ENVIRON).post("id", b"x")


def test_post_is_waited_for_longer_than_the_local_stack_waits_for_a_slow_client() -> None:
    assert TIMEOUT_S > POST_DRAIN_TIMEOUT_S


def test_endpoint_without_a_trusted_certificate_is_not_worth_another_try(
    authority: CertificateAuthority,
) -> None:
    """A firewall may open TLS; with its authority named, frames go on."""
    with scripted_upstream(authority.serving("127.0.0.1")) as upstream:
        upstream.script = replies(200, {})
        endpoint = upstream.url.replace("http:", "https:").replace("/v1", "")
        with closing(ConnectionsClient(endpoint, ENVIRON)) as client:
            with pytest.raises(DeliveryError, match="cannot be verified: unable to get") as caught:
                client.post("id", b"x")
            assert type(caught.value) is DeliveryError
        trusting = ConnectionsClient(endpoint, ENVIRON, str(authority.file))
        with closing(trusting) as client:
            client.post("id", b"y")
        assert [request.body for request in upstream.requests] == [b"y"]


def test_connection_is_kept_after_a_refusal(
    upstream: ScriptedUpstream, client: ConnectionsClient
) -> None:
    """API Gateway reads each frame, and a handshake would hold up the next."""
    ports = set()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.add(connection.getpeername())
        replies(429, {})(request, connection)

    upstream.script = script
    for _ in range(3):
        with pytest.raises(PostFailed):
            client.post("id", b"x")
    assert len(ports) == 1


def test_endpoint_is_the_events_domain_and_stage() -> None:
    domain = "abc.execute-api.us-east-1.amazonaws.com"
    assert endpoint_of(domain, "dev") == f"https://{domain}/dev"
