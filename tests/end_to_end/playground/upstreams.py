"""What the model does in the tests of the playground, and what it was asked."""

from __future__ import annotations

from typing import Any

from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    ScriptedUpstream,
    chunk,
    delta,
    holds_after,
    replies,
    sends,
    sse,
)

BY_BROWSER = "Failed to load resource"
"""How Chromium's console begins to report a status of 400 or more."""
REFUSAL = replies(429, {"error": {"message": "Slow down, please.", "code": "too_fast"}})
CUT_OFF = sends(
    delta("cut") + sse({"choices": [{"delta": {}, "finish_reason": "length"}]}) + sse("[DONE]"),
    "text/event-stream",
)
HOLDS = holds_after(EVENT_STREAM_HEAD + chunk(delta("go")))


def bodies(upstream: ScriptedUpstream) -> list[dict[str, Any]]:
    """What the model was asked; the page also asks for the list of models."""
    return [request.document for request in upstream.requests if request.method == "POST"]
