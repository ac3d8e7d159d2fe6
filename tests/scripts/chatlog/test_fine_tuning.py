"""Examples for fine-tuning: valid by OpenAI's rules, or left out with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import TypeAdapter

from scripts.chatlog.fine_tuning import example
from scripts.chatlog.forward_logs import forward_conversations
from scripts.chatlog.tally import FAILED, NOT_A_CHAT, NOT_VALID, Tally
from tests.child_environment import ROOT

FORWARD_LOGS = ROOT / "tests" / "data" / "openai_forward"
HELLO = {"role": "user", "content": "Hello"}
LINE = {"outcome": "ok", "messages": [HELLO], "answer": "Hi", "finish_reason": "stop"}
FUNCTION = {"name": "f", "arguments": "{}"}
CALL = {"id": "c1", "type": "function", "function": FUNCTION}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "fine"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def made(**fields: Any) -> Any:
    return example({**LINE, **fields}, Tally())


def test_example_is_the_messages_and_the_answer() -> None:
    system = {"role": "developer", "content": [{"type": "text", "text": "Be"}]}
    parts = [{"type": "text", "text": "What?"}, IMAGE]
    named = {"role": "user", "content": parts, "name": "ann"}
    asked = [system, named, {"role": "assistant", "content": "No.", "refusal": None}, HELLO]
    assert made(messages=asked, temperature=1, principal="team") == {
        "messages": [
            {"role": "system", "content": "Be"},
            {"role": "user", "content": parts, "name": "ann"},
            {"role": "assistant", "content": "No."},
            HELLO,
            {"role": "assistant", "content": "Hi"},
        ]
    }


def test_calls_of_tools_are_kept_with_their_tools() -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "index": 0}]}
    asked = [HELLO, called, {"role": "tool", "tool_call_id": "c1", "content": "fine"}]
    found = made(
        messages=asked, answer=None, tool_calls=[CALL], tools=[TOOL], finish_reason="tool_calls"
    )
    calls = {"role": "assistant", "tool_calls": [CALL]}
    assert found == {"messages": [HELLO, calls, asked[2], calls], "tools": [TOOL]}


def test_functions_become_tools() -> None:
    asked = [
        HELLO,
        {"role": "assistant", "content": None, "function_call": FUNCTION},
        {"role": "function", "name": "f", "content": "fine"},
    ]
    found = made(messages=asked, answer=None, function_call=FUNCTION, functions=[TOOL["function"]])
    first, second = ({**CALL, "id": f"call_{place}"} for place in (1, 3))
    assert found == {
        "messages": [
            HELLO,
            {"role": "assistant", "tool_calls": [first]},
            {"role": "tool", "tool_call_id": "call_1", "content": "fine"},
            {"role": "assistant", "tool_calls": [second]},
        ],
        "tools": [TOOL],
    }


def test_response_becomes_a_chat() -> None:
    asked = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", **FUNCTION},
        {"type": "function_call", "call_id": "c2", **FUNCTION},
        {"type": "function_call_output", "call_id": "c2", "output": "fine"},
        {"type": "function_call_output", "call_id": "c1", "output": "fine"},
    ]
    line = {**LINE, "input": asked, "instructions": "Be", "finish_reason": "completed"}
    del line["messages"]
    line["tools"] = [{"type": "function", "name": "f", "parameters": {}}]
    assert example(line, Tally()) == {
        "messages": [
            {"role": "system", "content": "Be"},
            HELLO,
            {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c2", "content": "fine"},
            {"role": "tool", "tool_call_id": "c1", "content": "fine"},
            {"role": "assistant", "content": "Hi"},
        ],
        "tools": [TOOL],
    }
    line["input"] = "Hello"
    found = example(line, Tally())
    assert found is not None
    assert found["messages"][1] == HELLO


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"messages": None, "prompt": "Hi"}, NOT_A_CHAT),
        ({"messages": None, "input": "Hi", "finish_reason": None}, FAILED),
        ({"messages": []}, NOT_A_CHAT),
        ({"messages": ["Hi"]}, NOT_A_CHAT),
        ({"outcome": "upstream_incomplete"}, FAILED),
        ({"error": {"code": 1}}, FAILED),
        ({"finish_reason": "length"}, FAILED),
        ({"finish_reason": None}, FAILED),
        ({"answer": None}, NOT_VALID),
        ({"answer": "", "refusal": "No."}, NOT_VALID),
        ({"messages": [{"role": "critic", "content": "Hm"}]}, NOT_VALID),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, NOT_VALID),
        ({"messages": [{"role": "user", "content": 7}]}, NOT_VALID),
        ({"messages": [{"role": "tool", "content": "without its call"}]}, NOT_VALID),
        ({"messages": [HELLO, RESULT]}, NOT_VALID),
        ({"messages": [HELLO, CALLED, RESULT, RESULT]}, NOT_VALID),
        ({"messages": [HELLO, CALLED, HELLO, RESULT]}, NOT_VALID),
        ({"messages": [HELLO, CALLED]}, NOT_VALID),
        ({"tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}, NOT_VALID),
        ({"tool_calls": [{**CALL, "function": {"name": "f"}}]}, NOT_VALID),
        ({"tools": [{"type": "web_search"}]}, NOT_VALID),
        ({"tools": [TOOL, {"type": "function", "function": "f"}]}, NOT_VALID),
        ({"functions": 1}, NOT_VALID),
        ({"functions": ["f"]}, NOT_VALID),
    ],
)
def test_conversation_that_makes_no_example_is_left_out(
    fields: dict[str, Any], reason: str
) -> None:
    tally = Tally()
    assert example({**LINE, **fields}, tally) is None
    assert tally.left_out == {reason: 1}


@pytest.mark.parametrize("version", ["tools-0.8.1", "functions-0.6.5"])
def test_examples_have_the_types_of_openais_sdk(version: str) -> None:
    messages = TypeAdapter(list[ChatCompletionMessageParam])
    tools = TypeAdapter(list[ChatCompletionFunctionToolParam])
    files = sorted((FORWARD_LOGS / version / "Log" / "openai" / "chat").glob("*.log"))
    examples = [example(line, Tally()) for line in forward_conversations(files, Tally())]
    found = [each for each in examples if each is not None]
    for each in found:
        messages.validate_python(each["messages"], strict=True)
        tools.validate_python(each.get("tools", []), strict=True)
        assert each["messages"][-1]["role"] == "assistant"
    assert (len(found), sum("tools" in each for each in found)) == (7, 3)
