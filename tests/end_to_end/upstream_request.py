"""What must hold of every request that reaches a provider, whoever sent it."""

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
    """The one request that there was, checked: its path, the key, and nothing of the client's."""
    (asked,) = upstream.requests
    assert (asked.method, asked.target) == (method, path)
    assert asked.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert asked.headers["host"] in upstream.url
    assert [name for name in asked.headers if name.startswith(NOT_FOR_PROVIDERS)] == []
    told = " ".join(asked.headers.values()).encode() + asked.body
    assert FORWARD_KEY.encode() not in told
    assert b"AWS4-HMAC-SHA256" not in told
    return asked


def form_of(asked: UpstreamRequest) -> dict[str, bytes]:
    """The fields of a multipart body, read by the standard library; a file is its content."""
    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + asked.body)
    return {
        str(part.get_param("name", header="content-disposition")): cast(
            "bytes", cast("EmailMessage", part).get_payload(decode=True)
        )
        for part in message.iter_parts()
    }
