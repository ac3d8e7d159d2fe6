"""LOG_CHAT=true in the running stack: a line for each request of both transports, in one file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.child_environment import ROOT, inherited
from tests.end_to_end.conftest import FORWARD_KEY, PROMPT, PROVIDER_KEY
from tests.end_to_end.curl import curl
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    chunk,
    delta,
    dies_after,
    replies,
    says,
    sends,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scripted_upstream import ScriptedUpstream

HELLO = [{"role": "user", "content": f"Is {FORWARD_KEY}-0123456789 a key?"}]
SAID = [{"role": "user", "content": "Is [key] a key?"}]
TOOLS = [{"type": "function", "function": {"name": "get_weather"}}]
DATA = ROOT / "tests" / "data" / "openai"


class ChattingStack:
    def __init__(self, stack: RunningStack, file: Path) -> None:
        self.stack = stack
        self.file = file
        self._seen = 0

    def post(self, path: str, **document: Any) -> None:
        key = ("-H", f"Authorization: Bearer {FORWARD_KEY}-0123456789")
        curl(f"{self.stack.url}{path}", *key, "-d", json.dumps(document))

    def send(self, message: dict[str, Any], last: str) -> None:
        with connect(self.stack.websocket_url) as client:
            client.send(json.dumps(message))
            while last not in str(client.recv(PATIENCE_S)):
                pass

    def line(self) -> dict[str, Any]:
        """The next line of the file, once it is there."""
        end = time.monotonic() + PATIENCE_S
        while True:
            text = self.file.read_text("utf-8") if self.file.exists() else ""
            lines = text[: text.rfind("\n") + 1].splitlines()  # the last may be half a line
            if len(lines) > self._seen:
                self._seen += 1
                line: dict[str, Any] = json.loads(lines[self._seen - 1])
                return line
            assert time.monotonic() < end, self.stack.text()


@pytest.fixture(scope="module")
def chatting(
    shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChattingStack]:
    file = tmp_path_factory.mktemp("log") / "new" / "chat.jsonl"
    with ready_service(
        OPENAI_BASE_URL=shared_upstream.url,
        OPENAI_API_KEY=PROVIDER_KEY,
        FORWARD_KEY=f"{FORWARD_KEY}-0123456789",
        FUNCTION_URL_AUTH="none",
        LOG_CHAT="true",
        LOG_CHAT_FILE=str(file),
        PROMPT_TEST=PROMPT,
    ) as stack:
        yield ChattingStack(stack, file)
        assert stack.end() == 0
    everything = stack.text() + file.read_text("utf-8")
    assert not any(secret in everything for secret in (PROVIDER_KEY, FORWARD_KEY, PROMPT))


def test_streamed_and_whole_answers_of_the_url_are_in_the_file(
    chatting: ChattingStack, upstream: ScriptedUpstream
) -> None:
    asked = {"model": "gpt", "messages": HELLO, "temperature": 0.2}
    chatting.post("/v1/chat/completions", **asked, stream=True)
    line = chatting.line()
    shown = {"model": "gpt", "messages": SAID, "answer": "Hello", "stream": True}
    figures = {"transport": "url", "outcome": "ok", "status": 200, "usage": {"total_tokens": 3}}
    assert line == {**line, **shown, **figures, "temperature": 0.2, "finish_reason": "stop"}
    assert line["principal"].startswith("key-")
    assert line["source_ip"] == "127.0.0.1"
    assert chatting.file.stat().st_mode & 0o777 == 0o600

    for file, kind in {"chat_tools.json": "application/json", "chat_tools_stream.sse": ""}.items():
        upstream.script = sends((DATA / file).read_bytes(), kind or "text/event-stream")
        chatting.post("/v1/chat/completions", **asked, tools=TOOLS, stream=not kind)
        line = chatting.line()
        (call,) = line["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"location": "Paris, Île-de-France"}
        assert (line["tools"], line["answer"], line["stream"]) == (TOOLS, None, not kind)


def test_messages_of_the_websocket_are_in_the_file(
    chatting: ChattingStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Hel", "lo")
    chatting.send({"action": "chat", "id": "1", "request": {"messages": HELLO}}, "finish_reason")
    template = {"prompt_template": "PROMPT_TEST", "messages": HELLO, "response_type": "full"}
    first = chatting.line()
    chatting.send(template, "Hello")
    second = chatting.line()
    chatting.send({"action": "sendmessage", "data": "Is it?"}, "lo")
    third = chatting.line()
    assert [line["transport"] for line in (first, second, third)] == ["websocket"] * 3
    assert [line["answer"] for line in (first, second, third)] == ["Hello"] * 3
    assert (first["messages"], first["stream"], first["kind"]) == (SAID, True, "chat")
    assert (second["messages"], second["prompt_template"]) == (SAID, "PROMPT_TEST")
    assert third["messages"] == [{"role": "user", "content": "Is it?"}]


def test_answers_that_fail_say_so(chatting: ChattingStack, upstream: ScriptedUpstream) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    chatting.post("/v1/chat/completions", model="gpt", messages=HELLO, stream=True)
    line = chatting.line()
    assert (line["outcome"], line["answer"]) == ("upstream_incomplete", "half")
    assert line["finish_reason"] is None
    upstream.script = replies(400, {"error": {"message": "no"}})
    chatting.post("/v1/chat/completions", model="gpt", messages=HELLO)
    line = chatting.line()
    assert (line["outcome"], line["answer"]) == ("upstream_refused", None)


def test_requests_without_a_chat_have_what_fits(
    chatting: ChattingStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = sends((DATA / "embeddings.json").read_bytes(), "application/json")
    chatting.post("/v1/embeddings", model="e", input="Hi")
    line = chatting.line()
    assert (line["input"], line["answer"], line["path"]) == ("Hi", None, "/v1/embeddings")
    upstream.script = replies(200, {"choices": [{"text": "lo", "finish_reason": "length"}]})
    chatting.post("/v1/completions", model="c", prompt="Hel")
    line = chatting.line()
    assert (line["prompt"], line["answer"]) == ("Hel", "lo")


def test_file_becomes_examples_for_fine_tuning(
    chatting: ChattingStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Hel", "lo")
    chatting.post("/v1/chat/completions", model="gpt", messages=HELLO, stream=True)
    assert chatting.line()["answer"] == "Hello"
    options = ["convert", "--from", str(chatting.file), "--to", "finetune"]
    command = [sys.executable, "-m", "scripts.chatlog", *options]
    printed = subprocess.check_output(
        command, cwd=ROOT, env=inherited("PATH"), stderr=subprocess.DEVNULL
    )
    *_, last = printed.splitlines()
    assert json.loads(last) == {"messages": [*SAID, {"role": "assistant", "content": "Hello"}]}
