"""Function URL events (payload format 2.0), as values.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import binascii

from sluice.http.urls import without_signature
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANONYMOUS_ACCOUNT = "anonymous"
"""Instead of an account's number, if the URL's auth type is NONE."""


class UrlRequest(NamedTuple):
    """An HTTP request. Header names are in lower case; `path` is as sent."""

    request_id: str
    method: str
    path: str
    raw_query: str
    """As sent, without the question mark and the signature of a presigned URL."""
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    source_ip: str = ""
    user_arn: str | None = None
    """Who signed, if the URL is IAM-authorized."""
    is_anonymous: bool = False
    """Whether Lambda required no signature."""


def parse_url_request(event: dict[str, Any]) -> UrlRequest:
    """Read a Function URL's event. Raises KeyError for any other event."""
    context = event["requestContext"]
    return UrlRequest(
        request_id=context["requestId"],
        method=context["http"]["method"],
        path=event["rawPath"],
        raw_query=without_signature(event.get("rawQueryString") or ""),
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=_body(event),
        source_ip=context["http"].get("sourceIp") or "",
        user_arn=context.get("authorizer", {}).get("iam", {}).get("userArn"),
        is_anonymous=context.get("accountId") == ANONYMOUS_ACCOUNT,
    )


def _body(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    return binascii.a2b_base64(text) if event.get("isBase64Encoded") else text.encode()
