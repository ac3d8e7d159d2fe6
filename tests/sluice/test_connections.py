"""The @connections client against a socket, its signature judged by botocore."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sluice.connections import ConnectionsClient, endpoint_of
from sluice.errors import ConnectionGone, DeliveryError, PostFailed, PostForbidden
from tests.scripted_upstream import ScriptedUpstream, refused_url, replies

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC)
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Callable[[], ConnectionsClient]:
    upstream.script = replies(200, {})
    endpoint = upstream.url.replace("/v1", "/prod")
    return lambda: ConnectionsClient(endpoint, ENVIRON, clock=lambda: NOW)


def test_post_is_signed_as_botocore_signs_it(
    upstream: ScriptedUpstream, client: Callable[[], ConnectionsClient]
) -> None:
    client().post("IjAIcdplCYcCFxw=", "wörld".encode())
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
    assert request.headers["authorization"].endswith(auth.signature(to_sign, reference))


def test_connection_is_kept_from_post_to_post(
    upstream: ScriptedUpstream, client: Callable[[], ConnectionsClient]
) -> None:
    connections = client()
    ports = set()

    def script(request: object, connection: object) -> None:
        ports.add(connection.getpeername())  # type: ignore[attr-defined] # a socket
        replies(200, {})(request, connection)  # type: ignore[arg-type]

    upstream.script = script
    for number in range(3):
        connections.post("id", b"%d" % number)
    assert [request.body for request in upstream.requests] == [b"0", b"1", b"2"]
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (410, ConnectionGone),
        (429, PostFailed),
        (500, PostFailed),
        (503, PostFailed),
        (403, PostForbidden),
        (413, PostForbidden),
    ],
)
def test_refusal_has_its_meaning(
    upstream: ScriptedUpstream,
    client: Callable[[], ConnectionsClient],
    status: int,
    error: type[DeliveryError],
) -> None:
    upstream.script = replies(status, {"message": "no"})
    with pytest.raises(error):
        client().post("id", b"x")


def test_forbidden_names_the_missing_permission(
    upstream: ScriptedUpstream, client: Callable[[], ConnectionsClient]
) -> None:
    upstream.script = replies(403, {"message": "Forbidden"})
    with pytest.raises(PostForbidden, match="execute-api:ManageConnections"):
        client().post("id", b"x")


def test_endpoint_that_is_not_there_is_worth_another_try() -> None:
    with pytest.raises(PostFailed, match="cannot be reached"):
        ConnectionsClient(refused_url(), ENVIRON).post("id", b"x")


def test_endpoint_is_the_events_domain_and_stage() -> None:
    domain = "abc.execute-api.us-east-1.amazonaws.com"
    assert endpoint_of(domain, "dev") == f"https://{domain}/dev"
