"""The demo model: OpenAI-compatible, repeats the last user message word by word.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from local.limits import DEMO_WORDS_PER_SECOND, MAX_REQUEST_BYTES

DEMO_MODEL = "demo"
Pause = Callable[[], Awaitable[None]]

_WORDS = re.compile(r"\s*\S+|\s+$")


class BadChatRequestError(ValueError):
    """The body is not a chat request; `param` names the invalid field, if it is one field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The parts of a chat request that the demo model reads."""

    model: str
    question: str
    stream: bool
    include_usage: bool


async def pause_between_words() -> None:
    """Wait between two words like a hosted model."""
    await asyncio.sleep(1 / DEMO_WORDS_PER_SECOND)


def demo_model(pause: Pause = pause_between_words) -> web.Application:
    """Return the application; `pause` is awaited between two words of a streamed answer."""
    app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[_openai_errors])

    async def chat(request: web.Request) -> web.StreamResponse:
        chat_request = parse_chat_request(await request.read())
        if not chat_request.stream:
            return web.json_response(whole_answer(chat_request, int(time.time())))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with contextlib.suppress(ConnectionError):  # the client disconnected
            await response.prepare(request)
            await _stream(response, answer_chunks(chat_request, int(time.time())), pause)
        return response

    async def models(_request: web.Request) -> web.Response:
        model = {"id": DEMO_MODEL, "object": "model", "created": 0, "owned_by": "sluice"}
        return web.json_response({"object": "list", "data": [model]})

    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    return app


async def _stream(
    response: web.StreamResponse, chunks: Sequence[Mapping[str, object]], pause: Pause
) -> None:
    for number, chunk in enumerate(chunks):
        if number > 1:
            await pause()
        await response.write(_sse(json.dumps(chunk, separators=(",", ":"))))
    await response.write(_sse("[DONE]"))


def parse_chat_request(body: bytes) -> ChatRequest:
    """Return the request in `body`; raises BadChatRequestError."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise BadChatRequestError("The body must be JSON.") from error
    if not isinstance(document, dict):
        raise BadChatRequestError("The body must be a JSON object.")
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadChatRequestError("messages must be a list with at least one message.", "messages")
    options = document.get("stream_options")
    return ChatRequest(
        model=str(document.get("model") or DEMO_MODEL),
        question=_last_user_text(messages),
        stream=document.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def answer_text(request: ChatRequest) -> str:
    """Return the answer. It repeats the question, so that its `[[42]]` comes back."""
    return (
        f"You said “{request.question}”. This is Sluice's demo model, and it has nothing else to "
        "say. It says so one word at a time, as a model does, so that you can see the words "
        "arrive. Set OPENAI_API_KEY in .env for answers worth waiting for."
    )


def whole_answer(request: ChatRequest, created: int) -> dict[str, object]:
    text = answer_text(request)
    message = {"role": "assistant", "content": text}
    return {
        **_identity(request, "chat.completion", created, _new_id()),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(request, text),
    }


def answer_chunks(request: ChatRequest, created: int) -> list[dict[str, object]]:
    """Return the events of a streamed answer: role, words, end, and usage if requested."""
    text = answer_text(request)
    words = _WORDS.findall(text)
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        *(({"content": word}, None) for word in words),
        ({}, "stop"),
    ]
    identity = _identity(request, "chat.completion.chunk", created, _new_id())
    usage: dict[str, object] = {"usage": None} if request.include_usage else {}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish} for delta, finish in deltas]
    chunks = [{**identity, "choices": [choice], **usage} for choice in choices]
    if request.include_usage:
        chunks.append({**identity, "choices": [], "usage": _usage(request, text)})
    return chunks


def _last_user_text(messages: Sequence[object]) -> str:
    for message in reversed(messages):
        if not isinstance(message, dict):
            raise BadChatRequestError("Every message must be a JSON object.", "messages")
        if message.get("role") == "user":
            return _content_text(message.get("content"))
    return ""


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _identity(request: ChatRequest, kind: str, created: int, answer_id: str) -> dict[str, object]:
    return {"id": answer_id, "object": kind, "created": created, "model": request.model}


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def _usage(request: ChatRequest, text: str) -> Mapping[str, int]:
    prompt, completion = len(request.question.split()), len(text.split())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _sse(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def _error(status: int, message: str, param: str | None = None) -> web.Response:
    code = "unknown_url" if status == web.HTTPNotFound.status_code else None
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return web.json_response({"error": error}, status=status)


@web.middleware
async def _openai_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadChatRequestError as error:
        return _error(400, str(error), error.param)
    except web.HTTPException as error:
        return _error(
            error.status,
            f"{request.method} {request.path}: {error.reason}. "
            "Sluice's demo model serves chat completions and models only.",
        )
