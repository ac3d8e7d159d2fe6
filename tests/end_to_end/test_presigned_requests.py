"""Signed and presigned requests open both transports, and the signature goes no further."""

from __future__ import annotations

import http.client
import os
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.end_to_end.recorded_upstream import answers_like_openai, recorded
from tests.end_to_end.upstream_request import only_request
from tests.running_stack import PATIENCE_S, ready_service
from tests.sigv4_signers import signed_requests

if TYPE_CHECKING:
    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream

ODD_QUERY = "b=x,y&a=%7e*&a=x%2fy&flag&=%C3%A9&a[]=b=c+d&"
HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": b64encode(os.urandom(16)).decode(),
}


def status_of(url: str, target: str, headers: dict[str, str]) -> int:
    """The status of a GET request, sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.putrequest("GET", target, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_odd_query_of_each_signer_opens_both_transports() -> None:
    with ready_service(WEBSOCKET_AUTH="aws_iam", OPENAI_API_KEY="sk-unused") as stack:
        for service, url, path, added, opened in (
            ("lambda", stack.url, "/healthz", {}, 200),
            ("execute-api", stack.websocket_url, "/dev", HANDSHAKE, 101),
        ):
            host = urlsplit(url).netloc
            for request in signed_requests([ODD_QUERY], host, path, ("local", "local")):
                status = status_of(url, request.target, {**request.headers, **added})
                assert status == (opened if request.service == service else 403), request


def test_signature_in_the_query_is_not_for_the_provider(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = answers_like_openai
    request = AWSRequest("GET", f"{signed_stack.url}/v1/models?limit=2")
    SigV4QueryAuth(ReadOnlyCredentials("local", "local", None), "lambda", "us-east-1").add_auth(
        request
    )
    assert httpx2.get(str(request.url)).content == recorded("models.json")
    only_request(upstream, "GET", "/v1/models?limit=2")
