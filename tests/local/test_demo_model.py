"""The demo model, by OpenAI's own client and by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI, BadRequestError

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


async def test_answer_repeats_the_last_user_message() -> None:
    async with running() as url:
        async with AsyncOpenAI(base_url=url, api_key="any") as client:
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
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == "m"
        assert answer.usage is not None
        assert answer.usage.total_tokens == 2 + len(text.split())


async def test_stream_comes_word_by_word() -> None:
    async with running() as url:
        async with AsyncOpenAI(base_url=url, api_key="any") as client:
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


async def test_client_that_has_heard_enough_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
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


async def test_models_are_listed() -> None:
    async with running() as url, AsyncOpenAI(base_url=url, api_key="any") as client:
        assert [model.id async for model in client.models.list()] == ["demo"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/chat/completions", 405)]
)
async def test_other_paths_are_refused_in_openais_shape(
    method: str, path: str, status: int
) -> None:
    async with (
        running() as url,
        aiohttp.ClientSession() as session,
        session.request(method, url + path) as response,
    ):
        assert response.status == status
        error = (await response.json())["error"]
        assert set(error) == {"message", "type", "param", "code"}


async def test_bad_body_is_refused_by_its_field() -> None:
    async with running() as url:
        async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
            with pytest.raises(BadRequestError) as caught:
                await client.chat.completions.create(model="m", messages=[])
        assert caught.value.param == "messages"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"nope", "JSON body"),
        (b"[]", "JSON object"),
        (b"{}", "messages to be a list"),
        (b'{"messages": []}', "messages to be a list"),
        (b'{"messages": ["x"]}', "every message"),
    ],
)
def test_unusable_body_says_what_was_expected(body: bytes, message: str) -> None:
    with pytest.raises(BadChatRequestError, match=message):
        parse_chat_request(body)


@pytest.mark.parametrize(
    ("content", "question"),
    [
        ("hi", "hi"),
        (
            [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}],
            "ab",
        ),
        (None, ""),
    ],
)
def test_content_may_be_text_or_parts(content: Any, question: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    assert parse_chat_request(body).question == question


def test_request_without_a_user_message_is_answered_all_the_same() -> None:
    asked = parse_chat_request(b'{"messages": [{"role": "system", "content": "x"}]}')
    assert asked == ChatRequest("demo", "", stream=False, include_usage=False)
    assert len(answer_chunks(asked, 0)) > 3
