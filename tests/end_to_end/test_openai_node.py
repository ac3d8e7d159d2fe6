"""Every operation of OpenAI's Node client through the Function URL, in one process of Node."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.settings import DEFAULT_MODEL
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.recorded_upstream import EVERY_BYTE, answers_like_openai
from tests.end_to_end.upstream_request import check_request, form_of
from tests.running_stack import PATIENCE_S

if TYPE_CHECKING:
    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream

PROGRAM = Path(__file__).with_name("openai_node_client.mjs")
BYTES = EVERY_BYTE[:4096]
"""Fits into an environment variable."""

CHAT = {"model": DEFAULT_MODEL, "messages": [{"role": "user", "content": "Grüße “dich” 🙂"}]}
SCHEMA = {"name": "event", "strict": True, "schema": {"type": "object", "properties": {}}}
PARAMETERS = {"type": "object", "properties": {"location": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
CHAT_PATH = "/v1/chat/completions"
IMAGE = {"model": "gpt-image-1", "prompt": "A sea otter"}
EMBEDDINGS = {
    "model": "text-embedding-3-small",
    "input": ["Grüße"],
    "encoding_format": "base64",
}
EVENT = {"name": "Science Fair", "date": "Friday", "participants": ["Alice", "Bob"]}

# What each operation sends, and its result: (path, body, result). No body: a GET.
OPERATIONS: dict[str, tuple[str, dict[str, Any] | None, object]] = {
    "chat": (CHAT_PATH, CHAT, "Hello! “How” can I help? 🙂"),
    "chat_streamed": (CHAT_PATH, {**CHAT, "stream": True}, "Hello! “How” can I\n\nhelp 🙂?"),
    "chat_with_tools": (
        CHAT_PATH,
        {**CHAT, "tools": TOOLS},
        '{"location": "Paris, Île-de-France"}',
    ),
    "chat_with_tools_streamed": (
        CHAT_PATH,
        {**CHAT, "tools": TOOLS, "stream": True},
        '{"location":"Paris, Île-de-France"}',
    ),
    "chat_with_schema": (
        CHAT_PATH,
        {**CHAT, "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        EVENT,
    ),
    "response": ("/v1/responses", {"model": "gpt-4.1", "input": "Grüße"}, "Hi there! Ça va?"),
    "response_streamed": (
        "/v1/responses",
        {"model": "gpt-4.1", "input": "Hi", "stream": True},
        ["Hi there! Ça va?", "response.completed"],
    ),
    "embeddings": ("/v1/embeddings", EMBEDDINGS, [0.5, -0.25, 1.0, 0.0]),
    "models": ("/v1/models", None, ["gpt-6-luna", "text-embedding-3-small"]),
    "image": ("/v1/images/generations", IMAGE, "iVBORw0KGgo="),
    "transcription": ("/v1/audio/transcriptions", {}, "A wild idea: “what if?”"),
    "speech": (
        "/v1/audio/speech",
        {"model": "tts-1", "voice": "alloy", "input": "Hello"},
        base64.b64encode(EVERY_BYTE).decode(),
    ),
}


def test_each_operation_sends_its_body_and_gets_its_answer(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = answers_like_openai
    environ = {
        "PATH": os.environ["PATH"],
        "BASE_URL": f"{keyed_stack.url}/v1",
        "API_KEY": FORWARD_KEY,
        "MODEL": DEFAULT_MODEL,
        "BYTES": base64.b64encode(BYTES).decode(),
    }
    printed = subprocess.check_output(
        ["node", str(PROGRAM)], env=environ, encoding="utf-8", timeout=PATIENCE_S
    )
    results = json.loads(printed)
    assert results.pop("unknown_key") == {"status": 401, "code": "invalid_api_key"}
    assert results == {name: result for name, (_, _, result) in OPERATIONS.items()}
    sent = zip(OPERATIONS.items(), upstream.requests, strict=True)
    for (name, (path, body, _)), request in sent:
        check_request(upstream, request, "GET" if body is None else "POST", path)
        if name == "transcription":
            assert form_of(request) == {"model": b"whisper-1", "file": BYTES}
        elif body is None:
            assert request.body == b""
        else:
            assert request.document == body, name
