"""Random streams of chat completions, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.scripted_upstream import sse

FRAME = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1741570283,
    "model": "m",
    "system_fingerprint": "fp_1",
    "service_tier": "default",
}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "completion_tokens_details": {"reasoning_tokens": 1},
}
ENDS = (b"", b"data: [DONE]\n\n", b"data: [DONE]", b"data: [DONE]\n\ndata: no json\n\n")
COMMENTS = (b"", b"", b": keep-alive\n\n", b":\n", b"retry: 7\n")
texts = st.text(st.characters(codec="utf-8"), max_size=8)
pieces = st.lists(texts, max_size=4)
numbers = st.floats(-9, 0)


def some_of(waiting: list[Any]) -> st.SearchStrategy[list[Any]]:
    """One choice's events, or those of all: then an event has several choices."""
    return st.sampled_from([*([each] for each in waiting), waiting])


@st.composite
def logprobs(draw: st.DrawFn, text: str) -> dict[str, Any]:
    token = {"token": text, "logprob": draw(numbers), "bytes": list(text.encode())}
    return {"content": [{**token, "top_logprobs": [token]}], "refusal": None}


@st.composite
def choice_events(draw: st.DrawFn, index: int) -> list[dict[str, Any]]:
    """The events of one choice, in their order."""
    found: list[dict[str, Any]] = [
        {"delta": {"role": "assistant", "content": draw(st.sampled_from(["", None]))}}
    ]
    for name in ("reasoning_content", "reasoning", "content", "refusal", "x_own"):
        for text in draw(pieces):
            event: dict[str, Any] = {"delta": {name: text}}
            if name == "content" and draw(st.booleans()):
                event["logprobs"] = draw(logprobs(text))
            found.append(event)
    for at in range(draw(st.integers(0, 3))):
        function = {"name": f"f{at}", "arguments": ""}
        call = {"index": at, "id": f"call_{at}", "type": "function", "function": function}
        found.append({"delta": {"tool_calls": [call]}})
        for text in draw(pieces):
            call = {"index": at, "function": {"arguments": text}}
            found.append({"delta": {"tool_calls": [call]}})
    if draw(st.booleans()):
        found.append({"delta": {"function_call": {"name": "f", "arguments": ""}}})
        found += [{"delta": {"function_call": {"arguments": text}}} for text in draw(pieces)]
    found.append({"delta": {}, "finish_reason": draw(st.sampled_from(["stop", "tool_calls"]))})
    return [{"index": index, "finish_reason": None, "logprobs": None, **event} for event in found]


@st.composite
def chat_streams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The events of an answer, and what ends the stream."""
    waiting = [draw(choice_events(index)) for index in range(draw(st.integers(1, 3)))]
    stream = b""
    roles = [[events.pop(0)] for events in waiting]  # in order, which the SDK needs
    while roles or any(waiting):
        events = [roles.pop(0)] if roles else draw(some_of([each for each in waiting if each]))
        choices = [each.pop(0) for each in events]
        comment = draw(st.sampled_from(COMMENTS))
        stream += comment + sse({**FRAME, "choices": choices, "obfuscation": "x", "usage": None})
    if draw(st.booleans()):
        stream += sse({**FRAME, "choices": [], "usage": USAGE})
    return stream, draw(st.sampled_from(ENDS))
