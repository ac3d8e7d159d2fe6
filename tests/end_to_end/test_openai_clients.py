"""Every operation of OpenAI's Python client through the Function URL, by key and by signature."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest
from botocore.credentials import ReadOnlyCredentials
from pydantic import BaseModel

from examples.clients.sigv4_auth import HttpxSigV4Auth
from sluice.settings import DEFAULT_MODEL
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.recorded_upstream import EVERY_BYTE, answers_like_openai, recorded
from tests.end_to_end.upstream_request import form_of, only_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionUserMessageParam

    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream

HELLO: ChatCompletionUserMessageParam = {"role": "user", "content": "Grüße “dich” 🙂"}
WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


class Event(BaseModel):
    name: str
    date: str
    participants: list[str]


class LocalKeys:
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("local", "local", None)


@pytest.fixture
def provider(upstream: ScriptedUpstream) -> ScriptedUpstream:
    upstream.script = answers_like_openai
    return upstream


@pytest.fixture(params=["keyed_stack", "signed_stack"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    """Either stack."""
    running: RunningStack = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def client(stack: RunningStack, provider: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    """OpenAI's client as the documentation sets it up: a key, and in one case a signature too."""
    assert provider
    is_signed = "signed" in stack.text()
    auth = HttpxSigV4Auth(credentials=LocalKeys()) if is_signed else None
    http_client = openai.DefaultHttpx2Client(auth=auth, cookies={"session": "the-client's"})
    key = "unused" if is_signed else FORWARD_KEY
    base_url = f"{stack.url}/v1"
    with openai.OpenAI(
        base_url=base_url, api_key=key, http_client=http_client, max_retries=0
    ) as made:
        yield made


def test_chat(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.chat.completions.create(model=DEFAULT_MODEL, messages=[HELLO], temperature=0.5)
    assert answer.choices[0].message.content == "Hello! “How” can I help? 🙂"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 29
    request = only_request(provider, "POST", "/v1/chat/completions")
    assert request.document == {"model": DEFAULT_MODEL, "messages": [HELLO], "temperature": 0.5}


def test_chat_streamed(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    stream = client.chat.completions.create(
        model=DEFAULT_MODEL,
        messages=[HELLO],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(text or "" for text in texts) == "Hello! “How” can I\n\nhelp 🙂?"
    assert chunks[-1].usage is not None
    request = only_request(provider, "POST", "/v1/chat/completions")
    assert request.document["stream_options"] == {"include_usage": True}


def test_chat_streamed_is_the_providers_bytes(
    client: openai.OpenAI, provider: ScriptedUpstream
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=DEFAULT_MODEL, messages=[HELLO], stream=True
    ) as answer:
        assert b"".join(answer.iter_bytes()) == recorded("chat_stream.sse")
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    only_request(provider, "POST", "/v1/chat/completions")


def test_chat_with_tools(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.chat.completions.create(
        model=DEFAULT_MODEL,
        messages=[HELLO],
        tools=[WEATHER],
        tool_choice="auto",
        reasoning_effort="none",
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.arguments == '{"location": "Paris, Île-de-France"}'
    request = only_request(provider, "POST", "/v1/chat/completions")
    assert request.document["tools"] == [WEATHER]
    assert (request.document["tool_choice"], request.document["reasoning_effort"]) == (
        "auto",
        "none",
    )


def test_chat_with_tools_streamed(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    with client.chat.completions.stream(
        model=DEFAULT_MODEL, messages=[HELLO], tools=[WEATHER]
    ) as stream:
        answer = stream.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.arguments == '{"location":"Paris, Île-de-France"}'
    assert only_request(provider, "POST", "/v1/chat/completions").document["stream"] is True


def test_chat_with_a_json_schema(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.chat.completions.parse(
        model=DEFAULT_MODEL, messages=[HELLO], response_format=Event
    )
    event = Event(name="Science Fair", date="Friday", participants=["Alice", "Bob"])
    assert answer.choices[0].message.parsed == event
    request = only_request(provider, "POST", "/v1/chat/completions")
    assert request.document["response_format"]["json_schema"]["name"] == "Event"
    assert request.document["response_format"]["json_schema"]["strict"] is True


def test_response(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.responses.create(model="gpt-4.1", input="Grüße", instructions="Be brief.")
    assert answer.output_text == "Hi there! Ça va?"
    request = only_request(provider, "POST", "/v1/responses")
    expected = {"model": "gpt-4.1", "input": "Grüße", "instructions": "Be brief."}
    assert request.document == expected


def test_response_streamed(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    events = list(client.responses.create(model="gpt-4.1", input="Hello", stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "Hi there! Ça va?"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hi there! Ça va?"
    assert only_request(provider, "POST", "/v1/responses").document["stream"] is True


def test_embeddings(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=["Grüße"])
    assert answer.data[0].embedding == [0.5, -0.25, 1.0, 0.0]
    request = only_request(provider, "POST", "/v1/embeddings")
    assert (request.document["input"], request.document["encoding_format"]) == (["Grüße"], "base64")


def test_models(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    models = client.models.list()
    assert [model.id for model in models] == ["gpt-6-luna", "text-embedding-3-small"]
    assert only_request(provider, "GET", "/v1/models").body == b""


def test_moderation(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.moderations.create(input="Hello")
    assert answer.results[0].flagged is False
    assert only_request(provider, "POST", "/v1/moderations").document == {"input": "Hello"}


def test_image_is_made(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.images.generate(model="gpt-image-1", prompt="A sea otter", size="1024x1024")
    assert answer.data is not None
    assert answer.data[0].b64_json == "iVBORw0KGgo="
    request = only_request(provider, "POST", "/v1/images/generations")
    expected = {"model": "gpt-image-1", "prompt": "A sea otter", "size": "1024x1024"}
    assert request.document == expected


def test_image_is_edited(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    client.images.edit(model="gpt-image-1", prompt="Brighter", image=("a.png", EVERY_BYTE))
    form = form_of(only_request(provider, "POST", "/v1/images/edits"))
    assert form == {"model": b"gpt-image-1", "prompt": b"Brighter", "image": EVERY_BYTE}


def test_audio_is_transcribed(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=("speech.wav", EVERY_BYTE, "audio/wav"), language="en"
    )
    assert answer.text == "A wild idea: “what if?”"
    request = only_request(provider, "POST", "/v1/audio/transcriptions")
    assert form_of(request) == {"model": b"whisper-1", "file": EVERY_BYTE, "language": b"en"}
    assert b'filename="speech.wav"' in request.body


def test_speech_is_binary(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")
    assert answer.content == EVERY_BYTE
    assert answer.response.headers["content-type"] == "audio/mpeg"
    request = only_request(provider, "POST", "/v1/audio/speech")
    assert request.document == {"model": "tts-1", "voice": "alloy", "input": "Hello"}


def test_file_is_uploaded_read_and_deleted(
    client: openai.OpenAI, provider: ScriptedUpstream
) -> None:
    made = client.files.create(file=("data.bin", EVERY_BYTE), purpose="assistants")
    request = only_request(provider, "POST", "/v1/files")
    assert form_of(request) == {"purpose": b"assistants", "file": EVERY_BYTE}
    provider.requests.clear()
    assert client.files.content(made.id).content == EVERY_BYTE
    only_request(provider, "GET", f"/v1/files/{made.id}/content")
    provider.requests.clear()
    assert client.files.delete(made.id).deleted
    assert only_request(provider, "DELETE", f"/v1/files/{made.id}").body == b""


def test_query_of_a_request_goes_on(client: openai.OpenAI, provider: ScriptedUpstream) -> None:
    query = {"after": "x/ü", "limit": "2"}
    client.get("/models", cast_to=httpx2.Response, options={"params": query})
    only_request(provider, "GET", "/v1/models?after=x%2F%C3%BC&limit=2")


def test_fields_that_are_for_the_provider_reach_it_and_those_of_its_account_do_not(
    client: openai.OpenAI, provider: ScriptedUpstream
) -> None:
    with_beta = client.with_options(default_headers={"OpenAI-Beta": "assistants=v2"})
    with_beta.with_options(organization="org-1", project="proj-1").models.list()
    fields = only_request(provider, "GET", "/v1/models").headers
    assert fields["openai-beta"] == "assistants=v2"
    assert not {"openai-organization", "openai-project"} & fields.keys()


def test_what_is_not_for_clients_does_not_reach_them(
    client: openai.OpenAI, provider: ScriptedUpstream
) -> None:
    answer = client.chat.completions.with_raw_response.create(model="m", messages=[HELLO])
    assert answer.headers["x-request-id"] == "req_recorded"
    assert answer.headers["x-ratelimit-remaining-requests"] == "99"
    assert "set-cookie" not in answer.headers
    only_request(provider, "POST", "/v1/chat/completions")


def test_async_client_streams(stack: RunningStack, provider: ScriptedUpstream) -> None:
    is_signed = "signed" in stack.text()
    auth = HttpxSigV4Auth(credentials=LocalKeys()) if is_signed else None

    async def ask() -> str:
        async with openai.AsyncOpenAI(
            base_url=f"{stack.url}/v1",
            api_key="unused" if is_signed else FORWARD_KEY,
            http_client=openai.DefaultAsyncHttpx2Client(auth=auth),
        ) as client:
            stream = await client.chat.completions.create(
                model=DEFAULT_MODEL, messages=[HELLO], stream=True
            )
            return "".join(
                [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            )

    assert asyncio.run(ask()) == "Hello! “How” can I\n\nhelp 🙂?"
    only_request(provider, "POST", "/v1/chat/completions")
