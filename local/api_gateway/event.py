"""The events of a WebSocket API, and the route of a message (no I/O).

https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-route-keys-connect-disconnect.html
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.project.environment import ACCOUNT_ID

CONNECT = "$connect"
DISCONNECT = "$disconnect"
DEFAULT = "$default"

API_ID = "local"
SIGNER_ARN = f"arn:aws:iam::{ACCOUNT_ID}:user/local"
SIGNER_ID = "AIDALOCALUSER00000000"
"""Unique id of the user that owns this stack's key pair, in IAM's format."""

_SELECTION_PREFIX = "$request.body."


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection, as its events describe it.

    `access_key` is the key that signed $connect, or "" without a signature.
    """

    connection_id: str
    stage: str
    domain: str
    source_ip: str
    user_agent: str
    connected_at: float
    headers: Sequence[tuple[str, str]] = ()
    query: Sequence[tuple[str, str]] = ()
    access_key: str = ""


def new_connection_id() -> str:
    """Return an id in AWS's format: eleven random bytes in base64; it ends with `=`."""
    return b64encode(secrets.token_bytes(11)).decode("ascii")


def select_route(body: str, expression: str, routes: Sequence[str]) -> str | None:
    """Return the route that the message's body names, else $default, else None."""
    named = _named_route(body, expression)
    if named in routes and named not in (CONNECT, DISCONNECT):
        return named
    return DEFAULT if DEFAULT in routes else None


def _named_route(body: str, expression: str) -> str | None:
    if not expression.startswith(_SELECTION_PREFIX):
        return None
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for step in expression[len(_SELECTION_PREFIX) :].split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def connect_event(peer: Peer, request_id: str, now: float) -> bytes:
    """Return the event of $connect; only it has the client's headers, query and signer."""
    context = _context(peer, CONNECT, "CONNECT", request_id, now)
    context["identity"] = {**_identity(peer), **_signer(peer)}
    return _event(
        {
            **_multi("headers", "multiValueHeaders", peer.headers),
            **_multi("queryStringParameters", "multiValueQueryStringParameters", peer.query),
            "requestContext": context,
        }
    )


def message_event(peer: Peer, route: str, body: str, request_id: str, now: float) -> bytes:
    """Return the event of a message, which has no headers."""
    context = _context(peer, route, "MESSAGE", request_id, now)
    context["messageId"] = new_connection_id()
    return _event({"requestContext": context, "body": body})


def disconnect_event(peer: Peer, code: int, reason: str, request_id: str, now: float) -> bytes:
    context = _context(peer, DISCONNECT, "DISCONNECT", request_id, now)
    context["disconnectStatusCode"] = code
    context["disconnectReason"] = reason
    headers = (
        ("Host", peer.domain),
        ("x-api-key", ""),
        ("X-Forwarded-For", peer.source_ip),
        ("x-restapi", ""),
    )
    return _event({**_multi("headers", "multiValueHeaders", headers), "requestContext": context})


def _event(parts: Mapping[str, object]) -> bytes:
    return json.dumps({**parts, "isBase64Encoded": False}, separators=(",", ":")).encode()


def _multi(
    single: str, several: str, pairs: Sequence[tuple[str, str]]
) -> dict[str, dict[str, str] | dict[str, list[str]]]:
    if not pairs:
        return {}
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return {single: dict(pairs), several: lists}


def _context(
    peer: Peer, route: str, event_type: str, request_id: str, now: float
) -> dict[str, object]:
    return {
        "routeKey": route,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "messageDirection": "IN",
        "stage": peer.stage,
        "connectedAt": int(peer.connected_at * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": _identity(peer),
        "requestId": request_id,
        "domainName": peer.domain,
        "connectionId": peer.connection_id,
        "apiId": API_ID,
    }


def _identity(peer: Peer) -> dict[str, str]:
    return {"sourceIp": peer.source_ip, "userAgent": peer.user_agent}


def _signer(peer: Peer) -> dict[str, str]:
    """Return API Gateway's fields about the signer of an IAM-authorized request.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
    """
    if not peer.access_key:
        return {}
    return {
        "accessKey": peer.access_key,
        "accountId": ACCOUNT_ID,
        "caller": SIGNER_ID,
        "user": SIGNER_ID,
        "userArn": SIGNER_ARN,
    }
