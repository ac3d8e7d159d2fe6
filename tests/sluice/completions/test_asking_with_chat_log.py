"""LOG_CHAT=true: what the log has of an answer, in whichever way it is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.request import NativeRequest, ResponseType, TemplateRequest, plain_request
from sluice.deadline import Deadline
from sluice.errors import UpstreamBroken, UpstreamRefused
from sluice.request_log import RequestLog
from tests.scripted_upstream import EVENT_STREAM_HEAD, chunk, delta, dies_after, replies, says
from tests.sluice.answering import SECRET
from tests.sluice.completions.answer_bench import (
    EACH_WAY,
    HELLO,
    AnswerBench,
    bytes_of,
    deltas_of,
    events_of,
    native,
    text_of,
)

if TYPE_CHECKING:
    from tests.sluice.completions.answer_bench import Read

CONSOLE_LINE_BYTES = 128 * 1024  # Lambda takes 256 KB
TOOLS = [{"type": "function", "function": {"name": "f"}}]
SAID = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (HELLO, {**SAID, "stream": True}),
        (  # the prompt is the operator's
            HELLO._replace(prompt_template="PROMPT_A", response_type=ResponseType.FULL),
            {**SAID, "prompt_template": "PROMPT_A", "stream": False},
        ),
        (native({"model": "m", **SAID}), {**SAID, "model": "m", "stream": False}),
        (
            native({"model": "m", "stream": True, "temperature": 0.5, "tools": TOOLS, **SAID}),
            {**SAID, "stream": True, "temperature": 0.5, "tools": TOOLS},
        ),
        (native({"input": "Hi", "instructions": "Be"}), {"input": "Hi", "instructions": "Be"}),
    ],
)
@EACH_WAY
def test_conversation_is_logged_if_set(
    bench: AnswerBench, read: Read, request_: TemplateRequest | NativeRequest, asked: dict[str, Any]
) -> None:
    bench.upstream.script = says("the ", f"answer to {SECRET}")
    bench.read(read, request_, LOG_CHAT="true", PROMPT_A="Be brief.")
    own = {"answer": "the answer to [key]", "finish_reason": "stop", "source_ip": "192.0.2.1"}
    figures = {"request_id": "r", "outcome": "ok", "status": 200, "usage": {"total_tokens": 3}}
    assert bench.logged == {**bench.logged, **asked, **own, **figures}
    assert "Be brief" not in bench.lines[0]


@pytest.mark.parametrize("read", [events_of, deltas_of, text_of])
def test_conversation_is_logged_until_an_answer_broke_off(bench: AnswerBench, read: Read) -> None:
    bench.upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    with pytest.raises(UpstreamBroken):
        bench.read(read, LOG_CHAT="true")
    cut = {"outcome": "upstream_incomplete", "answer": "half", "finish_reason": None}
    assert bench.logged.items() >= cut.items()


def test_conversation_that_was_refused_is_logged_with_its_failure(bench: AnswerBench) -> None:
    bench.upstream.script = replies(400, {"error": {"message": "no", "code": "bad"}})
    with pytest.raises(UpstreamRefused):
        bench.read(bytes_of, native({"model": "m", **SAID}), LOG_CHAT="true")
    assert bench.logged == {
        **bench.logged,
        **SAID,
        "model": "m",
        "answer": None,
        "outcome": "upstream_refused",
    }


@EACH_WAY
def test_kept_answer_is_logged_like_the_providers(bench: AnswerBench, read: Read) -> None:
    cache = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY", "CACHE_SCOPE": "all"}
    answers = bench.answers(**cache, LOG_CHAT="true")
    request = native({"model": "m", "stream": True, **SAID})
    bench.upstream.script = says("the ", "answer")
    bench.read(read, request, answers)
    first = bench.logged
    bench.read(read, request, answers)
    said = {n: first[n] for n in ("messages", "answer", "finish_reason", "model", "stream")}
    assert bench.logged == {**bench.logged, **said, "answer": "the answer"}
    assert len(bench.upstream.requests) == 1
    assert "saved_tokens" in bench.logged


def test_usual_line_is_logged_if_there_is_no_time_for_another(bench: AnswerBench) -> None:
    answers, left_ms = bench.answers(LOG_CHAT="true"), [60_000]
    bench.upstream.script = says("the private answer")
    lines: list[str] = []
    with (
        RequestLog("r", "test", write=lines.append) as log,
        answers.ask(HELLO, log, Deadline(lambda: left_ms[0])) as answer,
    ):
        assert "".join(answer.deltas()) == "the private answer"
        left_ms[0] = 150
    (line,) = map(json.loads, lines)
    assert (line["chat_log"], line["usage"]) == ("out_of_time", {"total_tokens": 3})
    assert "messages" not in line


@EACH_WAY
@pytest.mark.parametrize("character", ["x", "語", "\x01"])
def test_lines_fit_lambda_and_the_console_whatever_was_said(
    bench: AnswerBench, read: Read, character: str
) -> None:
    content = character * (60_000 // len(json.dumps(character, ensure_ascii=False)))
    bench.upstream.script = says(content, "!")
    bench.read(read, plain_request(content), LOG_CHAT="true")
    assert max(map(len, bench.lines)) < CONSOLE_LINE_BYTES
    figures, *parts = map(json.loads, bench.lines)
    whole = json.loads("".join(part["text"] for part in parts)) if parts else figures
    assert [part["chat_part"] for part in parts] == list(range(1, len(parts) + 1))
    assert all(part["chat_parts"] == figures["chat_parts"] == len(parts) for part in parts)
    assert (whole["messages"][0]["content"], whole["answer"]) == (content, f"{content}!")
    assert bool(parts) is (character == "語") is ("messages" not in figures)
    assert figures["usage"] == whole["usage"] == {"total_tokens": 3}


@EACH_WAY
def test_halves_of_a_character_are_joined_in_the_log(bench: AnswerBench, read: Read) -> None:
    bench.upstream.script = says("a\ud83d", "\ude00b", "\ud83d")
    bench.read(read, LOG_CHAT="true")
    assert bench.logged["answer"] == "a😀b\ufffd"
