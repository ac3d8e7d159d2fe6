"""Azure's classic surface as OpenAI's own client asks it: we send what it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from openai import AzureOpenAI

from sluice.upstream.call import ModelCall, model_of
from sluice.upstream.providers.azure import AzureProvider, surface_of

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINT, VERSION = "https://r.openai.azure.com", "2024-10-21"


def sent_by_sdk(ask: Callable[[AzureOpenAI], object]) -> httpx2.Request:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        sent.append(request)
        return httpx2.Response(200, json={"data": [1]})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with AzureOpenAI(
        azure_endpoint=ENDPOINT, api_key="k", api_version=VERSION, http_client=http
    ) as client:
        ask(client)
    return sent[0]


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/chat/completions", lambda c: c.chat.completions.create(model="gpt-4o", messages=[])),
        ("/completions", lambda c: c.completions.create(model="d", prompt="x")),
        ("/images/generations", lambda c: c.images.generate(model="dall-e-3", prompt="x")),
        ("/images/edits", lambda c: c.images.edit(model="dall-e-3", image=b"x", prompt="x")),
        ("/audio/transcriptions", lambda c: c.audio.transcriptions.create(model="w", file=b"R")),
        ("/audio/speech", lambda c: c.audio.speech.create(model="tts", input="x", voice="alloy")),
        ("/responses", lambda c: c.responses.create(model="gpt-4o", input="x")),
        ("/files", lambda c: c.files.list()),
        ("/models", lambda c: c.models.list()),
    ],
)
def test_url_key_and_body_are_those_of_the_sdk(
    path: str, ask: Callable[[AzureOpenAI], object]
) -> None:
    sent = sent_by_sdk(ask)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    model = model_of(headers, sent.content)
    call = ModelCall(sent.method, path, "", headers, sent.content, model)
    ours = AzureProvider(surface_of(ENDPOINT, VERSION), {}).request(call, "k")
    assert ours.url == str(sent.url)
    assert ours.headers["api-key"] == headers["api-key"]
    assert ours.body == sent.content
