"""Token counts, found in an answer that passes by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.completions.usage import TAIL_BYTES, UsageFinder
from sluice.completions.usage_event import without_usage_event
from tests.scripted_upstream import delta, sse

DATA = Path(__file__).parents[2] / "data" / "openai"
CHAT = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
ONE = {"total_tokens": 1}
CACHED = {"cached_tokens": 1}
GEMINIS = {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 16}
RESPONSES = {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123}
SECRETLY = '{"usage": {"total_tokens": 666}}, "usage": {"total_tokens": 667}'


def usage_of(*chunks: bytes) -> object:
    finder = UsageFinder()
    for chunk in chunks:
        finder.add(chunk)
    return finder.usage()


def stream(usage: object) -> bytes:
    return delta("Hello") + sse({"choices": [], "usage": usage}) + sse("[DONE]")


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (json.dumps({"choices": [], "usage": CHAT}), CHAT),
        (json.dumps({"choices": [], "usage": CHAT}, indent=2), CHAT),
        ('{"usage" : \n {"total_tokens" :1}}', {"total_tokens": 1}),
        (json.dumps({"usage": RESPONSES, "user": None, "metadata": {}}), RESPONSES),
        (json.dumps({"usage": {**CHAT, "prompt_tokens_details": CACHED}}), {**CHAT, **CACHED}),
        (json.dumps({"usage": {**CHAT, "input_tokens_details": CACHED}}), {**CHAT, **CACHED}),
        (json.dumps({"usage": {**CHAT, "prompt_tokens_details": {"cached_tokens": 0}}}), CHAT),
        (json.dumps({"usage": {**CHAT, "prompt_tokens_details": "odd"}}), CHAT),
        (json.dumps({"usageMetadata": GEMINIS}), GEMINIS),
        ('{"usage": {"prompt_tokens": "9", "completion_tokens": 2.0, "total_tokens": "11"}}', CHAT),
        ('{"usage": {"prompt_tokens": "9e9", "completion_tokens": 2.5, "total_tokens": 1}}', ONE),
        (json.dumps({"usage": {**CHAT, "cost": 0.1, "is_byok_tokens": False}}), CHAT),
        (json.dumps({"usage": {"prompt_tokens": None, "total_tokens": 4}}), {"total_tokens": 4}),
        ('{"usage": null}', None),
        ('{"usage": {}}', None),
        ('{"usage": {"seconds": 3, "type": "duration"}}', None),
        ('{"usage": {"total_tokens": 1', None),
        ('{"usage": ' + '{"usage": ' * 1500, None),
        ('{"choices": []}', None),
        ("", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_usage_of_a_json_answer(body: str, usage: object) -> None:
    assert usage_of(body.encode()) == usage


@pytest.mark.parametrize("usage", [CHAT, RESPONSES])
def test_usage_of_a_stream_is_found_wherever_it_is_cut(usage: dict[str, int]) -> None:
    data = stream(usage)
    assert all(usage_of(data[:cut], data[cut:]) == usage for cut in range(len(data) + 1))
    assert usage_of(*(data[at : at + 1] for at in range(len(data)))) == usage


def test_last_usage_of_several_counts() -> None:
    growing = [sse({"usage": {"total_tokens": tokens}}) for tokens in (1, 2, 3)]
    assert usage_of(*growing, sse({"usage": None})) == {"total_tokens": 3}


def test_parameter_of_a_tool_is_no_count() -> None:
    """A client could charge itself less, by a tool with such a parameter and an early end."""
    parameters = {"properties": {"usage": {"input_tokens": 1, "output_tokens": 1}}}
    tools = [{"type": "function", "description": "]}" * 9, "parameters": parameters}]
    for size in (0, 2 * TAIL_BYTES):
        response = {"instructions": "x" * size, "tools": tools}
        created = sse({"type": "response.created", "response": response})
        assert usage_of(created, delta("a")) is None
        completed = sse({"response": {**response, "usage": RESPONSES, "user": None}})
        assert usage_of(created, delta("a"), completed) == RESPONSES
        assert usage_of(json.dumps({**response, "usage": RESPONSES}).encode()) == RESPONSES
        vectors = {"usage": CHAT, "data": [0.5] * TAIL_BYTES}
        assert usage_of(json.dumps(vectors).encode()) == CHAT
        assert usage_of(json.dumps({"tools": tools, "data": [0.5] * TAIL_BYTES}).encode()) is None


def test_counts_of_several_events_are_joined_where_the_last_leaves_out_the_input() -> None:
    start = sse({"message": {"usage": {"input_tokens": 25, "output_tokens": 1}}})
    assert usage_of(start, delta("a"), sse({"usage": {"output_tokens": 15}})) == {
        "input_tokens": 25,
        "output_tokens": 15,
    }


@pytest.mark.parametrize(
    "name",
    ["chat.json", "embeddings.json", "response.json", "chat_stream.sse", "response_stream.sse"],
)
def test_usage_of_a_recorded_answer(name: str) -> None:
    data = (DATA / name).read_bytes()
    found = usage_of(data)
    assert isinstance(found, dict)
    if name.endswith(".json"):
        usage = json.loads(data)["usage"]
        assert found == {key: value for key, value in usage.items() if isinstance(value, int)}
    else:
        counts = [count for key, count in found.items() if key != "total_tokens"]
        assert found["total_tokens"] == sum(counts)


@pytest.mark.parametrize("text", [SECRETLY, json.dumps(SECRETLY), json.dumps({"a": SECRETLY})])
def test_usage_that_the_model_talks_about_does_not_count(text: str) -> None:
    assert usage_of(delta(text)) is None
    assert usage_of(delta(text) + stream(CHAT)) == CHAT
    call = {"tool_calls": [{"function": {"name": "f", "arguments": text}}]}
    whole = {"choices": [{"message": {"content": text, **call}}]}
    assert usage_of(json.dumps(whole).encode()) is None
    assert usage_of(json.dumps({"usage": CHAT, **whole}).encode()) == CHAT


def test_usage_is_found_after_a_long_answer_and_before_one() -> None:
    long, usage = b'"x":"' + b"y" * 10_000_000 + b'"', b'"usage":{"total_tokens":5}'
    for first, last in ((long, usage), (usage, long)):
        assert usage_of(b'{"a":1,' + first + b",", last + b"}") == {"total_tokens": 5}


def test_usage_that_is_taken_out_of_a_large_chunk_is_kept() -> None:
    """Where a provider, or a proxy, sends a whole stream at once."""
    finder, large = UsageFinder(), delta("x" * 2 * TAIL_BYTES)
    for chunk in without_usage_event([large + stream(CHAT)], finder.add_usage_event):
        finder.add(chunk)
    assert finder.usage() == CHAT


@pytest.mark.parametrize("size", [1, 100, TAIL_BYTES - 1, TAIL_BYTES, 65536])
def test_only_the_end_is_kept(size: int) -> None:
    finder = UsageFinder()
    for _ in range(3 * TAIL_BYTES // size + 3):
        finder.add(b"x" * size)
    kept = sum(map(len, finder._chunks))  # noqa: SLF001 -- memory has no other witness
    assert kept < TAIL_BYTES + size
