"""Calls as a client of any kind may send them."""

from __future__ import annotations

from sluice.upstream.call import ModelCall, model_of

LEAKS = {
    "authorization": "Bearer forward-key",
    "api-key": "forward-key",
    "x-api-key": "forward-key",
    "cookie": "session=1",
    "host": "gateway.example",
    "connection": "keep-alive, x-hop",
    "keep-alive": "5",
    "x-hop": "1",
    "te": "trailers",
    "transfer-encoding": "chunked",
    "upgrade": "h2c",
    "proxy-authorization": "Basic x",
    "content-length": "2",
    "accept-encoding": "gzip, br",
    "origin": "https://page.example",
    "x-forwarded-for": "192.0.2.1",
    "x-amz-security-token": "token",
    "x-amzn-trace-id": "Root=1",
    "via": "1.1 x",
    "openai-organization": "org-1",
    "x-original-url": "/admin",
    "content_length": "3",
}
KEPT = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "openai-beta": "assistants=v2",
    "aoai-evals": "preview",
    "idempotency-key": "1",
    "user-agent": "OpenAI/Python 2",
}


def a_call(
    path: str = "/chat/completions",
    body: bytes = b"{}",
    *,
    method: str = "POST",
    query: str = "",
    content_type: str = "application/json",
) -> ModelCall:
    headers = {**LEAKS, **KEPT, "content-type": content_type}
    return ModelCall(method, path, query, headers, body, model_of(headers, body))
