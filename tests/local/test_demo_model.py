"""The demo model, by OpenAI's own client and by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from openai import APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError

from local.demo_model import (
    BadChatRequestError,
    ChatRequest,
    Pause,
    answer_chunks,
    demo_model,
    parse_chat_request,
)
from local.http.listening import bind, port_of, serve_app


async def no_pause() -> None:
    return


@asynccontextmanager
async def running(pause: Pause = no_pause) -> AsyncIterator[str]:
    listening = bind("127.0.0.1", 0, "port")
    runner = await serve_app(demo_model(pause), listening)
    try:
        yield f"http://127.0.0.1:{port_of(listening)}/v1"
    finally:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    async with running() as url, AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        yield client


async def test_answer_repeats_the_last_user_message(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="m",
        messages=[
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "say [[42]]"},
        ],
    )
    text = answer.choices[0].message.content
    assert text is not None
    assert text.startswith("You said “say [[42]]”. ")
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", "m")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 2 + len(text.split())


async def test_stream_comes_word_by_word(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "one  two\nthree "}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert texts[:7] == ["", "You", " said", " “one", "  two", "\nthree", " ”."]
    assert texts[-2:] == [" for.", None]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1


async def test_each_word_is_sent_before_the_pause_after_it() -> None:
    go_on: asyncio.Queue[bool] = asyncio.Queue()

    async def pause() -> None:
        await go_on.get()

    async with running(pause) as url:
        body = {"messages": [{"role": "user", "content": "a b"}], "stream": True}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/chat/completions", json=body) as response,
        ):
            assert response.content_type == "text/event-stream"
            assert b'"role"' in await response.content.readuntil(b"\n\n")
            assert b'"You"' in await response.content.readuntil(b"\n\n")
            for _ in range(100):
                go_on.put_nowait(item=True)
            assert (await response.read()).endswith(b"data: [DONE]\n\n")


async def test_disconnect_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    go_on: asyncio.Queue[bool] = asyncio.Queue()
    left = asyncio.Event()

    async def pause() -> None:
        await (go_on.get() if not left.is_set() else asyncio.sleep(0))

    async with running(pause) as url:
        body = {"messages": [{"role": "user", "content": "a b"}], "stream": True}
        async with aiohttp.ClientSession() as session:
            response = await session.post(f"{url}/chat/completions", json=body)
            response.close()
            left.set()
            go_on.put_nowait(item=True)
            models = await session.get(f"{url}/models")
            assert models.status == 200
            models.release()
    assert caplog.records == []


async def test_models_are_listed(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["demo"]


async def test_errors_have_openais_format(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError) as not_found:
        await client.get("/nothing", cast_to=object)
    assert not_found.value.code == "unknown_url"
    with pytest.raises(APIStatusError) as wrong_method:
        await client.get("/chat/completions", cast_to=object)
    assert wrong_method.value.status_code == 405
    with pytest.raises(BadRequestError) as bad_request:
        await client.chat.completions.create(model="m", messages=[])
    assert bad_request.value.param == "messages"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"nope", "must be JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "messages must be a list"),
        (b'{"messages": []}', "at least one message"),
        (b'{"messages": ["x"]}', "Every message"),
    ],
)
def test_invalid_body_is_rejected_with_its_reason(body: bytes, message: str) -> None:
    with pytest.raises(BadChatRequestError, match=message):
        parse_chat_request(body)


PARTS = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]


@pytest.mark.parametrize(("content", "question"), [("hi", "hi"), (PARTS, "ab"), (None, "")])
def test_content_may_be_text_or_parts(content: object, question: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    assert parse_chat_request(body).question == question


def test_request_without_a_user_message_gets_an_answer() -> None:
    request = parse_chat_request(b'{"messages": [{"role": "system", "content": "x"}]}')
    assert request == ChatRequest("demo", "", stream=False, include_usage=False)
    assert len(answer_chunks(request, 0)) > 3
