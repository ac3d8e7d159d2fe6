"""OpenAI's clients for Azure use the Function URL as their endpoint, whatever the provider is."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest

from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY
from tests.end_to_end.recorded_upstream import answers_like_openai
from tests.running_stack import PATIENCE_S, RunningStack, ready_service

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionUserMessageParam

    from tests.scripted_upstream import ScriptedUpstream, UpstreamRequest

PROGRAM = Path(__file__).with_name("azure_node_client.mjs")
MODEL = "gpt-4.1"
DEPLOYMENT = "/openai/deployments/gpt-41"
"""The provider's path for the model, if it is Azure."""
VERSION = "2024-10-21"
HELLO: ChatCompletionUserMessageParam = {"role": "user", "content": "Hello"}
ANSWERS = ["Hello! “How” can I help? 🙂", "Hello! “How” can I\n\nhelp 🙂?", [0.5, -0.25, 1.0, 0.0]]
ASKED = ["/chat/completions", "/chat/completions", "/embeddings"]


def answers_like_azure(request: UpstreamRequest, connection: socket.socket) -> None:
    """A script: OpenAI's recorded answers, on Azure's paths too."""
    answers_like_openai(
        replace(request, target=request.target.replace(DEPLOYMENT, "/v1")), connection
    )


@pytest.fixture(scope="module")
def azure_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """A service in front of Azure."""
    with ready_service(
        AZURE_OPENAI_ENDPOINT=shared_upstream.url.removesuffix("/v1"),
        AZURE_OPENAI_TOKEN=PROVIDER_KEY,
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
    ) as stack:
        yield stack


@pytest.fixture(params=["keyed_stack", "azure_stack"])
def stack(request: pytest.FixtureRequest, upstream: ScriptedUpstream) -> RunningStack:
    """A service in front of OpenAI, or of Azure."""
    upstream.script = answers_like_azure
    running: RunningStack = request.getfixturevalue(request.param)
    return running


def check_requests(stack: RunningStack, upstream: ScriptedUpstream) -> None:
    """Each client's requests reached the provider's own paths, with its key."""
    is_azure = "azure" in stack.text().lower()
    root, version = (DEPLOYMENT, "?api-version=2023-03-15-preview") if is_azure else ("/v1", "")
    key_field = "api-key" if is_azure else "authorization"
    requests = [request for request in upstream.requests if request.method == "POST"]
    assert [request.target for request in requests] == [
        f"{root}{path}{version}" for path in ASKED
    ] * 3
    for request in requests:
        assert request.headers[key_field].removeprefix("Bearer ") == PROVIDER_KEY
        assert FORWARD_KEY not in str(request)
        assert request.document["model"] == MODEL


def test_python_clients_for_azure(stack: RunningStack, upstream: ScriptedUpstream) -> None:
    clients: list[tuple[openai.OpenAI, str]] = [
        (
            openai.AzureOpenAI(azure_endpoint=stack.url, api_key=FORWARD_KEY, api_version=VERSION),
            MODEL,
        ),
        (
            openai.AzureOpenAI(
                azure_endpoint=stack.url,
                azure_deployment=MODEL,
                api_key=FORWARD_KEY,
                api_version=VERSION,
            ),
            "other",
        ),
        (openai.OpenAI(base_url=f"{stack.url}/openai/v1/", api_key=FORWARD_KEY), MODEL),
    ]
    for client, model in clients:
        with client:
            answer = client.chat.completions.create(model=model, messages=[HELLO])
            stream = client.chat.completions.create(model=model, messages=[HELLO], stream=True)
            pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
            embeddings = client.embeddings.create(model=model, input="x")
            said = [
                answer.choices[0].message.content,
                "".join(pieces),
                embeddings.data[0].embedding,
            ]
            assert said == ANSWERS
    check_requests(stack, upstream)


def test_node_clients_for_azure(stack: RunningStack, upstream: ScriptedUpstream) -> None:
    environ = {"PATH": os.environ["PATH"], "ENDPOINT": stack.url, "API_KEY": FORWARD_KEY}
    printed = subprocess.check_output(
        ["node", str(PROGRAM)], env=environ, encoding="utf-8", timeout=PATIENCE_S
    )
    assert json.loads(printed) == [ANSWERS] * 3
    check_requests(stack, upstream)
