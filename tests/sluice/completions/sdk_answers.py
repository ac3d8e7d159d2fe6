"""What OpenAI's SDK makes of an answer, streamed or whole."""

from __future__ import annotations

from typing import Any

import httpx2
import openai

MODEL = "gpt-6-luna"


def sdk(body: bytes, content_type: str) -> openai.OpenAI:
    """A client that gets this answer to every request."""
    headers = {"content-type": content_type}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body))
    http = httpx2.Client(transport=transport)
    return openai.OpenAI(api_key="k", base_url="http://model/v1", http_client=http, max_retries=0)


def accumulated(stream: bytes) -> Any:
    """A chat completion, accumulated from its events."""
    client = sdk(stream, "text/event-stream")
    with (
        client,
        client.chat.completions.stream(model=MODEL, messages=[]) as events,
    ):
        return _said(events.get_final_completion().to_dict())


def completed(document: bytes) -> Any:
    """A chat completion that came whole."""
    with sdk(document, "application/json") as client:
        return _said(client.chat.completions.create(model=MODEL, messages=[]).to_dict())


def _said(document: dict[str, Any]) -> Any:
    for choice in document["choices"]:
        for call in choice["message"].get("tool_calls") or ():
            call.pop("index", None)
    return _without_additions(document)


def _without_additions(value: Any) -> Any:
    """Without null, which is what an absent member is to the SDK, and the SDK's own members."""
    if isinstance(value, list):
        return [_without_additions(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {n: v for n, v in value.items() if v is not None and not n.startswith("parsed")}
    return {name: _without_additions(inner) for name, inner in kept.items()}
