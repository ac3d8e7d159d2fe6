"""What every request that reaches a provider has in common."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, cast

from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY

if TYPE_CHECKING:
    from tests.scripted_upstream import ScriptedUpstream, UpstreamRequest

NOT_FOR_PROVIDERS = ("x-amz", "x-forwarded-", "proxy-", "cookie", "api-key", "x-api-key")


def only_request(upstream: ScriptedUpstream, method: str, path: str) -> UpstreamRequest:
    """Return the one request that there was, checked."""
    (request,) = upstream.requests
    check_request(upstream, request, method, path)
    return request


def check_request(
    upstream: ScriptedUpstream, request: UpstreamRequest, method: str, path: str
) -> None:
    """It has the path and the provider's key, and nothing of what the client presented."""
    assert (request.method, request.target) == (method, path)
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert request.headers["host"] in upstream.url
    assert [name for name in request.headers if name.startswith(NOT_FOR_PROVIDERS)] == []
    content = " ".join(request.headers.values()).encode() + request.body
    assert FORWARD_KEY.encode() not in content
    assert b"AWS4-HMAC-SHA256" not in content


def form_of(request: UpstreamRequest) -> dict[str, bytes]:
    """Return the fields of a multipart body, read by the standard library."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    return {
        str(part.get_param("name", header="content-disposition")): cast(
            "bytes", cast("EmailMessage", part).get_payload(decode=True)
        )
        for part in message.iter_parts()
    }
