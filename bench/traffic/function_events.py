"""Lambda's events for `stream`, `connect` and `default`. No I/O."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from bench.traffic.model_stream import MODEL, PATH

if TYPE_CHECKING:
    from bench.traffic.model_stream import StreamShape

REQUEST_ID = "2f0a1c34-6d7b-4d57-9f3e-6c5f9a3b8c11"
CONNECTION_ID = "L0SM9cOFvHcCIhw="


def url_event(shape: StreamShape, key: str = "") -> bytes:
    """A chat request to the Function URL, payload format 2.0. key: what it presents, if any."""
    headers = {"content-type": "application/json", "host": "bench.example", **_bearer(key)}
    http = {"method": "POST", "path": PATH, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    return json.dumps(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": PATH,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {"requestId": REQUEST_ID, "http": http},
            "body": shape.request_body().decode(),
            "isBase64Encoded": False,
        }
    ).encode()


def connect_event(key: str) -> bytes:
    """A client opens a WebSocket and presents `key`."""
    headers = {"Host": "bench.example", **_bearer(key)}
    return json.dumps({"requestContext": _context("$connect"), "headers": headers}).encode()


def websocket_event(shape: StreamShape) -> bytes:
    """A chat message over the WebSocket."""
    request = {**json.loads(shape.request_body()), "model": MODEL}
    body = json.dumps({"action": "chat", "id": "1", "request": request})
    return json.dumps({"requestContext": _context("$default"), "body": body}).encode()


def _context(route: str) -> dict[str, str | int]:
    return {
        "routeKey": route,
        "eventType": "CONNECT" if route == "$connect" else "MESSAGE",
        "connectionId": CONNECTION_ID,
        "requestId": REQUEST_ID,
        "domainName": "bench.example",
        "stage": "dev",
        "requestTimeEpoch": int(time.time() * 1000),
    }


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}
