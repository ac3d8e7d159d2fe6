"""What a client gets of an answer without text, of a failure, and of numbers that are not JSON."""

from __future__ import annotations

import json

import pytest

from tests.scripted_upstream import replies, sends, sse
from tests.sluice.answering import SECRET
from tests.sluice.websocket.asking import CHAT, PLAIN, TEMPLATE, WebSocketBench


@pytest.mark.parametrize(
    "delta",
    [
        {},
        {"reasoning_content": "hm"},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]},
    ],
)
def test_answer_without_text_is_an_empty_frame(
    bench: WebSocketBench, delta: dict[str, object]
) -> None:
    stream = sse({"choices": [{"delta": delta, "finish_reason": "stop"}]}) + sse("[DONE]")
    bench.upstream.script = sends(stream, "text/event-stream")
    assert bench.send({**TEMPLATE, "response_type": "full"}) == [""]
    assert bench.send(PLAIN) == [""]
    assert bench.send(TEMPLATE) == ["<END>"]


@pytest.mark.parametrize("status", [200, 204])
def test_answer_without_a_body_is_an_error(bench: WebSocketBench, status: int) -> None:
    bench.upstream.script = sends(b"", "application/json", status)
    for message in (CHAT, PLAIN, TEMPLATE, {**TEMPLATE, "response_type": "full"}):
        assert len(bench.send(message)) == 1
        assert bench.error["code"] == "upstream_incomplete"


@pytest.mark.parametrize("message", [CHAT, PLAIN, {**TEMPLATE, "response_type": "full"}])
def test_providers_words_are_in_the_error_frame(bench: WebSocketBench, message: object) -> None:
    failures = [
        replies(400, {"object": "error", "message": f"no {SECRET}", "code": 400}),
        replies(422, {"detail": [{"loc": ["body"], "msg": f"no {SECRET}"}]}),
        sends(b"error: no %b\n\ndata: [DONE]\n\n" % SECRET.encode(), "text/event-stream"),
    ]
    for bench.upstream.script in failures:
        bench.send(message)
        assert bench.error["message"].endswith("no [key]")


def test_number_that_json_does_not_know_is_null_in_a_frame(bench: WebSocketBench) -> None:
    event = b'data: {"choices":[{"delta":{"content":"Hi"},"logprob":-Infinity}]}\n\n'
    bench.upstream.script = sends(event + sse("[DONE]"), "text/event-stream")
    (frame,) = bench.send(CHAT)
    document = json.loads(frame, parse_constant=pytest.fail)
    assert document["events"] == [{"choices": [{"delta": {"content": "Hi"}, "logprob": None}]}]
