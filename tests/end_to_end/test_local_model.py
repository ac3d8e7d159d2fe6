"""`npm start -- --model gemma3`: real tokens, if somebody has installed the model."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from local.models.catalog import GEMMA3
from local.models.installation import MODELS_FOLDER, Installation
from local.project.environment import DEMO_KEY
from tests.running_stack import ROOT, stack

INSTALLED = Installation(GEMMA3, MODELS_FOLDER / GEMMA3.name)
EXAMPLE = ROOT / "examples" / "streaming_function" / "serverless.yml"
BEARER = {"Authorization": "Bearer local"}
STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
PATIENCE_S = 120.0  # a busy processor makes a token a second


def test_model_that_may_not_be_installed_is_not() -> None:
    config = ROOT / "serverless.yml"
    with stack(config, "--model", "gemma4") as running:
        running.wait_line("--model must be gemma3")
        assert running.wait() == 1
    with stack(EXAMPLE, "--model", "gemma3") as running:
        running.wait_line("--model runs a model for Sluice")
        assert running.wait() == 1
    if not INSTALLED.is_ready():
        # npm's own setting `yes` does not count as consent.
        with stack(config, "--model", "gemma3", npm_config_yes="true") as running:
            running.wait_line("Add --yes to download 290 MB")
            assert running.wait() == 1


@pytest.mark.skipif(not INSTALLED.is_ready(), reason="npm start -- --model gemma3 installs it")
def test_real_model_streams_answers_and_counts_their_tokens() -> None:
    # The option goes before what .env names.
    settings = {"OPENAI_BASE_URL": "http://127.0.0.1:1", "OPENAI_API_KEY": "sk-of-another-model"}
    with stack(ROOT / "serverless.yml", "--model", "gemma3", **settings) as running:
        url, _ = running.wait_ready()
        models = requests.get(f"{url}/v1/models", headers=BEARER, timeout=PATIENCE_S).json()
        assert [model["id"] for model in models["data"]] == ["gemma3"]
        with completion(f"{url}/v1", "local") as reply:
            assert reply.json()["choices"][0]["message"]["content"].strip()
        with completion(f"{url}/v1", "local", **STREAMED) as reply:
            *events, last = [line for line in reply.iter_lines() if line]
        assert last == b"data: [DONE]"
        parsed = [json.loads(event.removeprefix(b"data: ")) for event in events]
        texts = [choice["delta"].get("content") for event in parsed for choice in event["choices"]]
        assert len([text for text in texts if text]) > 1
        assert parsed[-1]["usage"]["completion_tokens"] > 1
        # Requests wait for each other, and one whose client disconnects ends.
        own_url = re.search(r"gemma3 at (http://127\.0\.0\.1:\d+/v1) ", running.text())
        assert own_url
        long = {"max_tokens": 4000, "ignore_eos": True, "stop": ["<none>"]}
        with completion(own_url[1], DEMO_KEY, **STREAMED, **long) as reply:
            next(reply.iter_lines())
        with completion(own_url[1], DEMO_KEY) as reply:
            assert reply.ok
        with completion(own_url[1], "of a stranger") as reply:
            assert reply.status_code == 401
        assert running.end() == 0


def completion(base_url: str, key: str, **fields: object) -> requests.Response:
    question = {"role": "user", "content": "What is the capital of France?"}
    return requests.post(
        f"{base_url}/chat/completions",
        json={"messages": [question], "max_tokens": 8, **fields},
        headers={"Authorization": f"Bearer {key}"},
        timeout=PATIENCE_S,
        stream=True,
    )
