"""Events too large for a frame: their parts add up to them, as the `openai` package adds up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from sluice.completions.events import CompletionEvent
from sluice.errors import UpstreamBroken
from sluice.websocket.event_splitting import split_event

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
OPENING = {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]}


def completion_event(document: dict[str, Any]) -> CompletionEvent:
    return CompletionEvent(json.dumps(document, ensure_ascii=False), document, "")


def chunk_of(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**HEAD, "choices": list(choices), **fields}


def choice_of(
    delta: dict[str, Any], finish_reason: str | None = None, index: int = 0, **fields: Any
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason, **fields}


def parts_of(document: dict[str, Any], max_bytes: int) -> list[dict[str, Any]]:
    before = json.dumps(document)
    parts = list(split_event(completion_event(document), max_bytes))
    assert json.dumps(document) == before
    assert all(len(part.encode()) <= max_bytes for part in parts)
    assert len(parts) > 1
    return [json.loads(part) for part in parts]


def added_up(*chunks: dict[str, Any]) -> Any:
    """What the `openai` package makes of these chunks."""
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return json.loads(state.current_completion_snapshot.model_dump_json())


def assert_adds_up(document: dict[str, Any], max_bytes: int) -> list[dict[str, Any]]:
    parts = parts_of(document, max_bytes)
    assert added_up(OPENING, *parts) == added_up(OPENING, document)
    return parts


def test_event_is_split_only_if_it_is_a_byte_too_large() -> None:
    document = chunk_of(choice_of({"content": "€" * 500}))
    data = json.dumps(document, ensure_ascii=False, indent=1)  # as some provider spells it
    event, size = CompletionEvent(data, document, ""), len(data.encode())
    assert list(split_event(event, size)) == [data]
    assert len(list(split_event(event, size - 1))) > 1


@pytest.mark.parametrize("name", ["content", "refusal", "reasoning_content"])
def test_text_of_a_delta_is_split(name: str) -> None:
    for text in ("é€😀" * 500, '\x00\n"\\' * 500):
        parts = assert_adds_up(chunk_of(choice_of({name: text})), 600)
        assert "".join(part["choices"][0]["delta"][name] for part in parts) == text


def test_text_of_a_contents_part_is_split_and_stays_a_part() -> None:
    text = "x" * 2000
    document = chunk_of(choice_of({"content": [{"type": "text", "text": text}]}))
    contents = [part["choices"][0]["delta"]["content"] for part in parts_of(document, 600)]
    assert [part.keys() for (part,) in contents] == [{"type", "text"}] * len(contents)
    assert "".join(part["text"] for (part,) in contents) == text


def test_half_a_surrogate_pair_stays_for_its_other_half() -> None:
    data = json.dumps(chunk_of(choice_of({"content": "x" * 1000 + "\ud83d"})))
    parts = list(split_event(CompletionEvent(data, json.loads(data), ""), 600))
    texts = [json.loads(part.encode())["choices"][0]["delta"]["content"] for part in parts]
    assert "".join(texts) == "x" * 1000 + "\ud83d"


def tool_call(index: int, arguments: str) -> dict[str, Any]:
    function = {"name": f"tool_{index}", "arguments": arguments}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def test_arguments_of_a_tool_are_split_and_its_name_appears_once() -> None:
    calls = [tool_call(0, "{}"), tool_call(1, json.dumps({"code": "y" * 2000}))]
    first, *others = assert_adds_up(chunk_of(choice_of({"tool_calls": calls})), 700)
    ids = [call["id"] for call in first["choices"][0]["delta"]["tool_calls"]]
    assert ids == ["call_0", "call_1"]
    for part in others:
        (call,) = part["choices"][0]["delta"]["tool_calls"]
        assert call.keys() == {"index", "function"}
        assert call["index"] == 1
        assert call["function"].keys() == {"arguments"}


def test_other_choices_appear_once() -> None:
    choices = [
        choice_of({"content": "one"}, "stop", 0),
        choice_of({"content": "z" * 2000}, "length", 1),
        choice_of({"content": "three"}, None, 2),
    ]
    first, *others = parts_of(chunk_of(*choices), 700)
    texts = [choice["delta"]["content"][:5] for choice in first["choices"]]
    assert texts == ["one", "zzzzz", "three"]
    for part in others:
        assert [choice["index"] for choice in part["choices"]] == [0, 1, 2]
        assert [choice["delta"].keys() for choice in part["choices"]] == [set(), {"content"}, set()]


def test_end_of_an_answer_is_only_in_the_last_part() -> None:
    document = chunk_of(choice_of({"content": "x" * 2000}, "stop"), usage=USAGE)
    *others, last = assert_adds_up(document, 700)
    assert (last["choices"][0]["finish_reason"], last["usage"]) == ("stop", USAGE)
    assert {part["choices"][0]["finish_reason"] for part in others} == {None}
    assert [part["usage"] for part in others] == [None] * len(others)


def test_probabilities_of_tokens_appear_once() -> None:
    token = {"token": "x", "logprob": -0.1, "bytes": [120], "top_logprobs": []}
    logprobs = {"content": [token], "refusal": None}
    first, *others = assert_adds_up(
        chunk_of(choice_of({"content": "x" * 2000}, "stop", logprobs=logprobs)), 700
    )
    assert first["choices"][0]["logprobs"] == logprobs
    assert all("logprobs" not in part["choices"][0] for part in others)


def test_null_choice_stays_and_missing_usage_is_not_added() -> None:
    document = chunk_of(choice_of({"content": "x" * 2000}))
    document["choices"].append(None)
    for part in parts_of(document, 700):
        assert part["choices"][1] is None
        assert "usage" not in part


@pytest.mark.parametrize(
    "document",
    [
        {"private": "x" * 2000},
        {"choices": "x" * 2000},
        {"choices": ["x" * 2000]},
        {"choices": [{"message": {"content": "x" * 2000}}]},
        {"choices": [{"delta": {"content": "short"}}], "long": "x" * 2000},
    ],
)
def test_event_without_a_long_text_in_a_delta_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(UpstreamBroken, match=r"of \d+ bytes. A WebSocket takes 1000") as caught:
        list(split_event(completion_event(document), 1000))
    assert "xxx" not in caught.value.message  # nothing of the answer


@given(
    text=st.text(st.characters(codec="utf-8"), min_size=120),
    other=st.text(st.characters(codec="utf-8"), max_size=30),
    max_bytes=st.integers(700, 1000),
    is_tool=st.booleans(),
)
def test_parts_of_any_event_add_up_to_it(
    text: str, other: str, max_bytes: int, *, is_tool: bool
) -> None:
    long = text * 10
    delta = {"tool_calls": [tool_call(0, long)]} if is_tool else {"content": long}
    document = chunk_of(choice_of({**delta, "refusal": other}, "stop"), usage=USAGE)
    assert_adds_up(document, max_bytes)
