"""Lambda's events for `stream` and `default`. No I/O."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from bench.traffic.model_stream import MODEL, PATH

if TYPE_CHECKING:
    from bench.traffic.model_stream import StreamShape

REQUEST_ID = "2f0a1c34-6d7b-4d57-9f3e-6c5f9a3b8c11"


def url_event(shape: StreamShape) -> bytes:
    """A chat request to the Function URL, payload format 2.0."""
    http = {"method": "POST", "path": PATH, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    return json.dumps(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": PATH,
            "rawQueryString": "",
            "headers": {"content-type": "application/json", "host": "bench.example"},
            "requestContext": {"requestId": REQUEST_ID, "http": http},
            "body": shape.request_body().decode(),
            "isBase64Encoded": False,
        }
    ).encode()


def websocket_event(shape: StreamShape) -> bytes:
    """A chat message over the WebSocket."""
    request = {**json.loads(shape.request_body()), "model": MODEL}
    context = {
        "routeKey": "$default",
        "eventType": "MESSAGE",
        "connectionId": "L0SM9cOFvHcCIhw=",
        "requestId": REQUEST_ID,
        "domainName": "bench.example",
        "stage": "dev",
        "requestTimeEpoch": int(time.time() * 1000),
    }
    body = json.dumps({"action": "chat", "id": "1", "request": request})
    return json.dumps({"requestContext": context, "body": body}).encode()
