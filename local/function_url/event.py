"""The event of a Function URL, payload format 2.0 (no I/O).

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from urllib.parse import parse_qsl

from local.http.requests import Headers, HttpRequest
from local.project.environment import ACCOUNT_ID

# RFC 9110 section 7.6.1: these concern the client's connection, which ends here. Header fields for
# a proxy may hold credentials.
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_FOR_A_PROXY = "proxy-"
_TRACE = "x-amzn-trace-id"
_TEXT_TYPES = ("text", "json", "xml")


def url_event(
    request: HttpRequest,
    *,
    request_id: str,
    now: float,
    access_key: str | None,
    forwarding: Headers = (),
) -> bytes:
    """Return the event as JSON; `access_key` is None if the URL requires no signature.

    `forwarding` is added to the client's header fields; its trace id replaces the client's.
    """
    headers = event_headers((*request.headers, *forwarding))
    headers.update((_TRACE, value) for name, value in forwarding if name.lower() == _TRACE)
    cookies = [part for part in headers.pop("cookie", "").split("; ") if part]
    query = _joined(parse_qsl(request.raw_query, keep_blank_values=True))
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.raw_path,
        "rawQueryString": request.raw_query,
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        **({"queryStringParameters": query} if query else {}),
        "requestContext": _context(request, headers, request_id, now, access_key),
        **_body(request.body, headers.get("content-type", "")),
    }
    return json.dumps(event, separators=(",", ":")).encode()


def event_headers(headers: Headers) -> dict[str, str]:
    """Return the header fields for a function by lower-case name; repeated ones are joined."""
    named = [(name.lower(), value) for name, value in headers]
    return _joined(
        [
            field
            for field in named
            if field[0] not in _OF_THE_CONNECTION and not field[0].startswith(_FOR_A_PROXY)
        ]
    )


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _context(
    request: HttpRequest, headers: dict[str, str], request_id: str, now: float, key: str | None
) -> dict[str, object]:
    domain = headers.get("host", "")
    return {
        "accountId": "anonymous" if key is None else ACCOUNT_ID,
        "apiId": domain.split(".")[0].split(":")[0],
        "authentication": None,
        **({"authorizer": {"iam": _iam(key)}} if key is not None else {}),
        "domainName": domain,
        "domainPrefix": domain.split(".")[0].split(":")[0],
        "http": {
            "method": request.method,
            "path": request.raw_path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _iam(access_key: str) -> dict[str, object]:
    return {
        "accessKey": access_key,
        "accountId": ACCOUNT_ID,
        "callerId": "AIDALOCAL",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/local",
        "userId": "AIDALOCAL",
    }


def _body(body: bytes, content_type: str) -> dict[str, object]:
    if not body:
        return {"isBase64Encoded": False}
    media_type = content_type.partition(";")[0].lower()
    if body.isascii() and any(kind in media_type for kind in _TEXT_TYPES):
        return {"body": body.decode("ascii"), "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}
