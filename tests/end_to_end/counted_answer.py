"""An answer whose tokens the provider counts, and what they cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.scripted_upstream import EVENT_STREAM_HEAD, LAST_CHUNK, chunk, delta, sse

if TYPE_CHECKING:
    import socket

    from tests.scripted_upstream import UpstreamRequest

QUESTION: list[Any] = [{"role": "user", "content": "Hello"}]
COUNTS = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
PRICES = json.dumps({"gpt": {"input": 1, "output": 2}})  # micro-USD a token


def counted(_request: UpstreamRequest, connection: socket.socket) -> None:
    """A script: Hello, and its token counts."""
    usage = sse({"choices": [], "usage": COUNTS})
    stream = delta("Hel") + delta("lo") + usage + sse("[DONE]")
    connection.sendall(EVENT_STREAM_HEAD + chunk(stream) + LAST_CHUNK)
