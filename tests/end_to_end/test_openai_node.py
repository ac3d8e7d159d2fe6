"""Every operation of OpenAI's Node client through the Function URL; a process for each."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.recorded_upstream import EVERY_BYTE, answers_like_openai
from tests.end_to_end.upstream_request import form_of, only_request
from tests.running_stack import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream

PROGRAM = Path(__file__).with_name("openai_node_client.mjs")
BYTES = EVERY_BYTE[:4096]
"""Fits into an environment variable."""

HELLO = {"role": "user", "content": "Grüße “dich” 🙂"}
CHAT = {"model": "gpt-4o-mini", "messages": [HELLO]}
CHAT_PATH = "/v1/chat/completions"


@pytest.fixture
def ask(keyed_stack: RunningStack, upstream: ScriptedUpstream) -> Callable[[str], Any]:
    """Run one operation; return what the client got."""
    upstream.script = answers_like_openai

    def run(operation: str) -> Any:
        environ = {
            "PATH": os.environ["PATH"],
            "BASE_URL": f"{keyed_stack.url}/v1",
            "API_KEY": FORWARD_KEY,
            "BYTES": base64.b64encode(BYTES).decode(),
        }
        done = subprocess.run(
            ["node", str(PROGRAM), operation],
            env=environ,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize(
    ("operation", "got", "method", "path", "sent"),
    [
        ("chat", "Hello! “How” can I help? 🙂", "POST", CHAT_PATH, CHAT),
        (
            "chat_streamed",
            "Hello! “How” can I\n\nhelp 🙂?",
            "POST",
            CHAT_PATH,
            {**CHAT, "stream": True},
        ),
        (
            "response",
            "Hi there! Ça va?",
            "POST",
            "/v1/responses",
            {"model": "gpt-4.1", "input": "Grüße"},
        ),
        (
            "response_streamed",
            {"text": "Hi there! Ça va?", "last": "response.completed"},
            "POST",
            "/v1/responses",
            {"model": "gpt-4.1", "input": "Hi", "stream": True},
        ),
        (
            "embeddings",
            [0.5, -0.25, 1.0, 0.0],
            "POST",
            "/v1/embeddings",
            {"model": "text-embedding-3-small", "input": ["Grüße"], "encoding_format": "base64"},
        ),
        (
            "image",
            "iVBORw0KGgo=",
            "POST",
            "/v1/images/generations",
            {"model": "gpt-image-1", "prompt": "A sea otter"},
        ),
        (
            "speech",
            base64.b64encode(EVERY_BYTE).decode(),
            "POST",
            "/v1/audio/speech",
            {"model": "tts-1", "voice": "alloy", "input": "Hello"},
        ),
    ],
)
def test_operation_gets_its_answer_and_sends_its_body(
    ask: Callable[[str], Any],
    upstream: ScriptedUpstream,
    operation: str,
    got: object,
    method: str,
    path: str,
    sent: object,
) -> None:
    assert ask(operation) == got
    assert only_request(upstream, method, path).document == sent


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("chat_with_tools", '{"location": "Paris, Île-de-France"}'),
        ("chat_with_tools_streamed", '{"location":"Paris, Île-de-France"}'),
    ],
)
def test_chat_with_tools(
    ask: Callable[[str], Any], upstream: ScriptedUpstream, operation: str, arguments: str
) -> None:
    call = ask(operation)
    assert (call["name"], call["arguments"]) == ("get_weather", arguments)
    (tool,) = only_request(upstream, "POST", CHAT_PATH).document["tools"]
    assert tool["function"]["parameters"]["properties"] == {"location": {"type": "string"}}


def test_chat_with_a_json_schema(ask: Callable[[str], Any], upstream: ScriptedUpstream) -> None:
    assert ask("chat_with_schema")["participants"] == ["Alice", "Bob"]
    asked = only_request(upstream, "POST", CHAT_PATH).document["response_format"]
    assert asked["json_schema"]["strict"] is True


def test_models(ask: Callable[[str], Any], upstream: ScriptedUpstream) -> None:
    assert ask("models") == ["gpt-4o-mini", "text-embedding-3-small"]
    assert only_request(upstream, "GET", "/v1/models").body == b""


def test_audio_is_transcribed(ask: Callable[[str], Any], upstream: ScriptedUpstream) -> None:
    assert ask("transcription") == "A wild idea: “what if?”"
    form = form_of(only_request(upstream, "POST", "/v1/audio/transcriptions"))
    assert form == {"model": b"whisper-1", "file": BYTES}


def test_unknown_key_is_refused(ask: Callable[[str], Any], upstream: ScriptedUpstream) -> None:
    assert ask("unknown_key") == {"status": 401, "code": "invalid_api_key"}
    assert upstream.requests == []
