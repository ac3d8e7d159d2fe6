"""Event streams folded into JSON answers and back. OpenAI's SDK is the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.completions.folding import whole_answer
from sluice.completions.unfolding import event_stream
from sluice.completions.usage_event import without_usage_event
from tests.scripted_upstream import answer_stream, delta, sse
from tests.sluice.completions.random_streams import FRAME, USAGE, chat_streams
from tests.sluice.completions.sdk_answers import accumulated, completed, sdk

DATA = Path(__file__).parents[2] / "data" / "openai"
CHAT_STREAMS = sorted(DATA.glob("chat*.sse"))
CHAT_ANSWERS = sorted(DATA.glob("chat*.json"))
DONE = sse("[DONE]")


def folded(stream: bytes) -> Any:
    document = whole_answer(stream)
    return None if document is None else json.loads(document)


def unfolded(document: Any, *, includes_usage: bool = True) -> bytes:
    stream = event_stream(json.dumps(document).encode(), includes_usage=includes_usage)
    assert stream is not None
    return stream


def chat(*deltas: object, reason: str = "stop", **members: object) -> bytes:
    """A stream of one choice. members: of each event."""
    choices: list[dict[str, object]] = [{"index": 0, "delta": each} for each in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    return b"".join(sse({**FRAME, **members, "choices": [each]}) for each in choices) + DONE


def message_of(*deltas: object) -> Any:
    (choice,) = folded(chat(*deltas))["choices"]
    return choice["message"]


@pytest.mark.parametrize("file", CHAT_STREAMS, ids=lambda file: file.stem)
def test_recorded_stream_is_what_the_sdk_accumulates(file: Path) -> None:
    stream = file.read_bytes()
    document = whole_answer(stream)
    assert document is not None
    assert completed(document) == accumulated(stream)
    again = unfolded(json.loads(document))
    assert accumulated(again) == accumulated(stream)
    assert folded(again) == json.loads(document)


@pytest.mark.parametrize("file", CHAT_ANSWERS, ids=lambda file: file.stem)
def test_recorded_answer_is_the_same_as_a_stream(file: Path) -> None:
    document = file.read_bytes()
    for size in (None, 1, 7):
        stream = event_stream(document, includes_usage=True, piece_characters=size)
        assert stream is not None
        assert accumulated(stream) == completed(document)
        assert folded(stream) == json.loads(document)


@given(chat_streams())
def test_random_stream_is_what_the_sdk_accumulates(parts: tuple[bytes, bytes]) -> None:
    events, end = parts
    document = whole_answer(events + end)
    assert document is not None
    # To the SDK an event without usage at the end means that there is none.
    assert completed(document) == accumulated(events + DONE)
    for line_end in (b"\r\n", b"\r"):
        assert whole_answer((events + end).replace(b"\n", line_end)) == document
    again = unfolded(json.loads(document))
    assert folded(again) == json.loads(document)
    assert accumulated(again) == completed(document)


@given(chat_streams())
def test_stream_that_is_cut_is_not_an_answer(parts: tuple[bytes, bytes]) -> None:
    events, _ = parts
    whole = whole_answer(events)
    for cut in range(0, len(events), max(1, len(events) // 50)):
        found = whole_answer(events[:cut])
        assert found is None or json.loads(found)["choices"] == json.loads(whole or b"")["choices"]


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
OTHER = {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}


def arguments(text: str, **members: object) -> dict[str, object]:
    return {"tool_calls": [{"function": {"arguments": text}, **members}]}


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        (
            [{"tool_calls": [{"index": 1, **OTHER}]}, {"tool_calls": [{"index": 0, **CALL}]}],
            [CALL, OTHER],
        ),
        ([{"tool_calls": [{"index": 0, **CALL}, {"index": 0, **OTHER}]}], [CALL, OTHER]),
        ([{"tool_calls": [CALL]}, arguments(""), {"tool_calls": [OTHER]}], [CALL, OTHER]),
        (
            [{"tool_calls": [{**OTHER, "index": 0}]}, arguments("1", index=0, id="", type=None)],
            [{**OTHER, "function": {"name": "g", "arguments": "{}1"}}],
        ),
        (
            [{"tool_calls": [{**CALL, "index": 0}]}] * 2,  # repeats id, type and name
            [CALL],
        ),
        (
            [
                {
                    "tool_calls": [
                        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "s"}}
                    ]
                },
                {"tool_calls": [{"index": 0, "custom": {"input": "x"}}]},
                {"tool_calls": [{"index": 0, "custom": {"input": "y"}}]},
            ],
            [{"id": "c", "type": "custom", "custom": {"name": "s", "input": "xy"}}],
        ),
    ],
    ids=["any order", "one index for all", "no index", "empty members", "repeated", "custom"],
)
def test_tool_calls_are_joined(deltas: list[object], calls: list[object]) -> None:
    assert message_of(*deltas)["tool_calls"] == calls
    assert message_of({"tool_calls": []})["tool_calls"] == []


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([{"role": "assistant", "content": "a"}] * 2, {"role": "assistant", "content": "aa"}),
        ([{"role": "", "content": None}, {"role": "tool"}], {"role": "tool", "content": None}),
        (
            [{"function_call": {"name": "f"}}, {"function_call": {"arguments": "{}"}}],
            {"function_call": {"name": "f", "arguments": "{}"}},
        ),
        ([{"own": "a", "n": 1}, {"own": "b", "n": 2}], {"own": "ab", "n": 2}),
        ([{"own": [1]}, {"own": [2, {"x": 1}]}], {"own": [1, 2, {"x": 1}]}),
        ([{"annotations": [{"a": 1}]}, {"annotations": [{"b": 2}]}],
         {"annotations": [{"a": 1}, {"b": 2}]}),
        (
            [
                {"reasoning_details": [{"index": 0, "type": "r", "format": "v1", "text": "a"}]},
                {"reasoning_details": [{"index": 0, "type": "r", "format": "v1", "text": "b"}]},
                {"reasoning_details": [{"index": 0, "type": "other", "data": "x"}]},
            ],
            {
                "reasoning_details": [
                    {"index": 0, "type": "r", "format": "v1", "text": "ab"},
                    {"index": 0, "type": "other", "data": "x"},
                ]
            },
        ),
        (
            [{"content": [{"type": "thinking", "thinking": "x"}]}, {"content": "a"}],
            {"content": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "a"}]},
        ),
        (
            [{"content": "a"}, {"content": [{"type": "image"}]}, {"content": ""}],
            {"content": [{"type": "text", "text": "a"}, {"type": "image"}]},
        ),
        (
            [
                {"audio": {"id": "audio_1", "data": "YQ==", "transcript": "a"}},
                {"audio": {"data": "YmM=", "transcript": "b"}},
                {"audio": {"expires_at": 7}},
            ],
            {"audio": {"id": "audio_1", "data": "YWJj", "transcript": "ab", "expires_at": 7}},
        ),
        ([{"audio": {"data": "YWJj"}}, {"audio": {"data": "YQ"}}], {"audio": {"data": "YWJjYQ"}}),
        ([{"audio": {"data": "=é=a"}}], {"audio": {"data": "=é=a"}}),
        ([{"content": "\ud83d"}, {"content": "\ude42"}], {"content": "🙂"}),
    ],
)  # fmt: skip
def test_members_of_a_message(deltas: list[object], expected: dict[str, object]) -> None:
    message = message_of(*deltas)
    assert message == {"role": "assistant", "content": None, **expected}
    document = folded(chat(*deltas))
    assert folded(unfolded(document)) == document


def test_tool_calls_of_an_answer_stay_apart_whatever_indexes_they_have() -> None:
    """An SDK joins those with one index."""
    calls = [{"index": 0, "id": each, "function": {"name": "f"}} for each in "ab"]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    document = {"choices": [{"index": 0, "message": said, "finish_reason": "tool_calls"}]}
    events = [json.loads(line[6:]) for line in unfolded(document).split(b"\n\n")[:-2]]
    deltas = [event["choices"][0]["delta"] for event in events]
    found = [each for delta in deltas for each in delta.get("tool_calls", ())]
    assert [(each["index"], each["id"]) for each in found] == [(0, "a"), (1, "b")]


def test_members_of_choices_and_of_the_answer() -> None:
    """As Azure sends them, and others."""
    first = {"moderation": {}, "choices": [], "id": "", "model": "", "created": 0, "object": "",
             "prompt_filter_results": [{"prompt_index": 0}]}  # fmt: skip
    offsets = {"check_offset": 1, "start_offset": 1}
    choices: list[dict[str, object]] = [
        {"delta": {"content": "a"}, "content_filter_results": {}, "token_ids": [1, {"index": 0}]},
        {
            "delta": {},
            "content_filter_results": {"hate": {"severity": "safe"}},
            "token_ids": [{"index": 0}],
        },
        {"delta": {}, "finish_reason": "stop", "stop_reason": 7, "logprobs": None},
        {"content_filter_results": {"lists": [1]}, "content_filter_offsets": offsets},
        {"content_filter_results": {"lists": [1]}, "finish_reason": None},
    ]
    events = [{**FRAME, "choices": [{"index": 0, **choice}]} for choice in choices]
    last = {"citations": ["b"], "service_tier": "flex", "system_fingerprint": None}
    usage = {**FRAME, **last, "id": "", "choices": None, "usage": USAGE}
    beat = {"type": "ping"}
    sent: tuple[dict[str, Any], ...] = (first, *events, beat, {**usage, "citations": ["a"]}, usage)
    document = folded(b"".join(map(sse, sent)))
    assert document == {
        **FRAME,
        "object": "chat.completion",
        "service_tier": "flex",
        "citations": ["b"],
        "moderation": {},
        "prompt_filter_results": [{"prompt_index": 0}],
        "usage": USAGE,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a"},
                "content_filter_results": {"hate": {"severity": "safe"}, "lists": [1]},
                "content_filter_offsets": offsets,
                "token_ids": [1, {"index": 0}, {"index": 0}],  # only a message comes in pieces
                "stop_reason": 7,
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }
    assert folded(unfolded(document)) == document
    assert unfolded(document).count(b"prompt_filter_results") == 1
    document["choices"][0]["message"]["reasoning"] = "first"
    assert b'"reasoning":"first"' in unfolded(document).partition(b'"content":"a"')[0]


def legacy(index: int, text: str, **members: object) -> bytes:
    choice = {"index": index, "text": text, "finish_reason": None, "logprobs": None, **members}
    return sse({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
                "choices": [choice]})  # fmt: skip


def logprobs_of(*tokens: str) -> dict[str, list[object]]:
    return {
        "tokens": [*tokens],
        "token_logprobs": [-0.5 for _ in tokens],
        "top_logprobs": [{token: -0.5} for token in tokens],
        "text_offset": [7 for _ in tokens],
    }


def test_legacy_completion_has_its_texts_and_logprobs() -> None:
    stream = (
        legacy(1, "x")
        + legacy(0, "a", logprobs=logprobs_of("a"))
        + legacy(0, "bc", logprobs=logprobs_of("b", "c"))
        + legacy(1, "y", finish_reason="length")
        + legacy(0, "", finish_reason="stop")
        + sse({"id": "cmpl-1", "choices": [], "usage": USAGE})
        + DONE
    )
    document = folded(stream)
    frame = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    choices = [
        {"index": 0, "text": "abc", "logprobs": logprobs_of(*"abc"), "finish_reason": "stop"},
        {"index": 1, "text": "xy", "logprobs": None, "finish_reason": "length"},
    ]
    assert document == {**frame, "choices": choices, "usage": USAGE}
    again = unfolded(document)
    assert folded(again) == document
    with sdk(again, "text/event-stream") as client:
        events = list(client.completions.create(model="m", prompt="", stream=True))
    assert [choice.text for event in events for choice in event.choices] == ["abc", "", "xy", ""]
    assert events[-1].usage is not None
    empty = folded(legacy(0, "", finish_reason="stop") + DONE)
    assert (empty["choices"][0]["text"], folded(unfolded(empty))) == ("", empty)


def test_usage_event_is_for_clients_that_asked() -> None:
    stream = (DATA / "chat_stream.sse").read_bytes()
    document = folded(stream)
    silent = unfolded(document, includes_usage=False)
    assert b'"usage"' not in silent
    del document["usage"]
    assert folded(silent) == document
    found: list[bytes] = []
    assert folded(b"".join(without_usage_event([stream], found.append))) == document
    assert len(found) == 1


STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}
SAID = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}


def test_whole_message_in_an_event_is_the_answer() -> None:
    expected = [SAID]
    for stream in (
        sse({"choices": [SAID]}) + DONE,
        json.dumps({"choices": [SAID]}).encode(),
        delta("a") + sse({"choices": [SAID]}) + DONE,
        sse({"choices": [{"delta": {"role": "assistant"}}]}) + sse({"choices": [SAID]}),
    ):
        choices = folded(stream)["choices"]
        assert [{n: v for n, v in each.items() if n != "logprobs"} for each in choices] == expected


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        DONE,
        b": keep-alive\n\n",
        sse({"choices": []}) + DONE,
        delta("a"),
        delta("a") + DONE,
        delta("a") + sse({"error": {"message": "x"}}) + sse({"choices": [STOP]}) + DONE,
        sse({"choices": [STOP]}) + sse({"error": {"message": "x"}}) + DONE,
        sse({"choices": [STOP]}) + b'data: {"choices": [], "us',
        sse({"choices": [STOP]}) + b"dat",
        sse({"choices": [STOP]}) + b"data: [1]",
        sse({"choices": [STOP]}) + sse("no json") + DONE,
        sse({"choices": [STOP, {**STOP, "index": 1, "finish_reason": None}]}) + DONE,
        sse({"choices": [{**STOP, "index": 1}]}) + DONE,
        sse({"choices": [{**STOP, "index": "0"}]}) + DONE,
        sse({"choices": [{**STOP, "finish_reason": "error"}]}) + DONE,
        sse({"choices": [{**STOP, "error": {"code": 502}}]}) + DONE,
        sse({"choices": [STOP, None]}) + DONE,
        sse({"choices": 7}) + sse({"choices": [STOP]}) + DONE,
        sse({"choices": "abc"}) + DONE,
        sse('{"choices": ' + "[" * 100_000),
        sse('{"choices": [{"index": 0, "delta": {"x": ' + '{"x": ' * 600 + "1" + "}" * 600
            + '}, "finish_reason": "stop"}]}') + DONE,
        b"<html>",
    ],
    ids=lambda stream: stream[-60:].decode(),
)  # fmt: skip
def test_stream_that_did_not_end_well_is_not_folded(stream: bytes) -> None:
    assert whole_answer(stream) is None


NAMES = ("delta", "message", "text", "content", "tool_calls", "function", "index", "id", "audio",
         "data", "type", "name", "logprobs", "content_filter_results")  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "YQ=="]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), ANY_JSON), max_size=4))
def test_whatever_the_events_hold_folding_does_not_fail(events: list[dict[str, Any]]) -> None:
    choices = [{"index": 0, **event} for event in events] + [STOP]
    stream = b"".join(sse({"choices": [choice]}) for choice in choices)
    document = whole_answer(stream)
    if document is not None:
        event_stream(document, includes_usage=True)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n", b"\n\ndata: [DONE]"])
def test_stream_needs_neither_an_end_mark_nor_a_last_line_end(end: bytes) -> None:
    stream = answer_stream(["a"]).removesuffix(b"\n\n" + DONE) + end
    assert folded(stream)["usage"] == {"total_tokens": 3}
