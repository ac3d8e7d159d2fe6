"""What was asked and answered, for every kind of request and answer, whole and cut off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.transcript import answered_in_body, answered_in_events, request_fields
from tests.child_environment import ROOT
from tests.scripted_upstream import answer_stream, delta, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = ROOT / "tests" / "data" / "openai"
HELLO = [{"role": "user", "content": "Hello"}]
STREAM = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
WEATHER = {"name": "get_weather", "arguments": '{"location":"Paris, Île-de-France"}'}
CALL = {"id": "call_abc123", "type": "function", "function": WEATHER}
STOP = {"finish_reason": "stop"}


def streamed(*choices: Mapping[str, Any]) -> bytes:
    return b"".join(sse({"choices": [choice]}) for choice in choices)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"model": "m", "messages": HELLO, "n": 2}, {"messages": HELLO}),
        (
            {"messages": HELLO, "temperature": 0, "functions": [1], "tools": None},
            {"messages": HELLO, "temperature": 0, "functions": [1]},
        ),
        ({"input": "Hi", "instructions": "Be"}, {"input": "Hi", "instructions": "Be"}),
        ({"prompt": "Hi"}, {"prompt": "Hi"}),
        ({"model": "m", "temperature": 1}, {}),
    ],
)
def test_prompts_are_found_in_every_kind_of_request(document: Any, said: Any) -> None:
    assert request_fields(document) == said


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("chat.json", {"answer": "Hello! “How” can I help? 🙂", **STOP}),
        ("chat_stream.sse", {"answer": "Hello! “How” can I\n\nhelp 🙂?", **STOP}),
        ("response.json", {"answer": "Hi there! Ça va?", "finish_reason": "completed"}),
        ("response_stream.sse", {"answer": "Hi there! Ça va?", "finish_reason": "completed"}),
        (
            "chat_tools_stream.sse",
            {"answer": None, "tool_calls": [CALL], "finish_reason": "tool_calls"},
        ),
        ("embeddings.json", {"answer": None}),
        ("images.json", {"answer": None}),
    ],
)
def test_answer_of_the_provider_is_whole_wherever_its_bytes_are_cut(file: str, said: Any) -> None:
    body = (DATA / file).read_bytes()
    headers = STREAM if file.endswith(".sse") else JSON
    for cut in range(0, len(body), 97):
        assert answered_in_body(headers, [body[:cut], body[cut:]]) == said


def test_tool_calls_and_functions_of_whole_answers_are_kept() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "2"}]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    said = answered_in_events([json.dumps(whole)])
    assert said["tool_calls"] == message["tool_calls"]
    deltas = [{"name": "f", "arguments": ""}, {"arguments": "{}"}]
    body = streamed(*({"index": 0, "delta": {"function_call": part}} for part in deltas))
    function = {"function_call": {"name": "f", "arguments": "{}"}}
    assert answered_in_body(STREAM, [body]).items() >= function.items()


def test_parts_reasoning_and_further_choices_are_kept() -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    first = {"content": parts, "reasoning_content": "Hm."}
    choices = [
        {"index": 0, "message": first, "finish_reason": "stop"},
        {"index": 1, "message": {"content": "Yo", "refusal": ""}, "finish_reason": "length"},
    ]
    body = json.dumps({"choices": choices}).encode()
    other = {"answer": "Yo", "finish_reason": "length"}
    assert answered_in_body(JSON, [body]) == {
        "answer": parts,
        "reasoning_content": "Hm.",
        **STOP,
        "other_answers": [other],
    }


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        (STREAM, delta("a") + delta("b") + b"data: {", {"answer": "ab", "finish_reason": None}),
        (JSON, b": ping\n\n" + answer_stream(["a", "b"]), {"answer": "ab", **STOP}),
        (JSON, b'{"choices":[{"text":"all"}]}', {"answer": "all", "finish_reason": None}),
        (JSON, b'{"choices":[{"text":"al', {"answer": '{"choices":[{"text":"al'}),
        (JSON, b'{"choices":[1, {"index":"x"}]}', {"answer": '{"choices":[1, {"index":"x"}]}'}),
        (JSON, b'{"results": []}', {"answer": {"results": []}}),
        (JSON, b"[" * 100_000, {"answer": "[" * 100_000}),
        ({"content-type": "audio/mpeg"}, b"ID3\x00\xff", {"answer": None}),
        (STREAM, b'data: {"type": "other"}\n\n', {"answer": 'data: {"type": "other"}\n\n'}),
        (STREAM, sse({"error": {"code": 1}}), {"answer": None, "error": {"code": 1}}),
        (
            STREAM,
            sse({"choices": [{"delta": {"content": "a"}}]}) + sse({"error": "gone"}),
            {"answer": "a", "finish_reason": None, "error": "gone"},
        ),
        (
            STREAM,
            sse({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": 1}]}}]}),
            {"answer": None, "tool_calls": [{"function": 1}], "finish_reason": None},
        ),
    ],
)
def test_answer_that_is_cut_or_strange_is_kept_as_far_as_it_is_understood(
    headers: Mapping[str, str], body: bytes, said: Any
) -> None:
    assert answered_in_body(headers, [body]) == said


def test_response_that_is_cut_has_its_text_and_its_calls() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    message = {"type": "message", "content": [{"type": "output_text", "text": "one "}, 7]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "delta": "one "},
        {"type": "response.output_item.done", "item": message},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.output_text.delta", "delta": "two"},
    ]
    said = answered_in_body(STREAM, map(sse, events))
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "c", "type": "function", "function": function}]
    assert said == {"answer": "one two", "tool_calls": calls, "finish_reason": "in_progress"}
    failed = {"status": "failed", "error": {"code": "e"}, "output": [message]}
    events.append({"type": "response.failed", "response": failed})
    said = answered_in_body(STREAM, map(sse, events))
    assert said == {"answer": "one ", "finish_reason": "failed", "error": {"code": "e"}}
