"""About how many tokens of an answer have been delivered."""

from __future__ import annotations

import json

import pytest

from sluice.completions.delivered import MAX_HELD_BYTES, MAX_TOKEN_BYTES, Delivered
from tests.scripted_upstream import delta, sse

WORD = "a" * MAX_TOKEN_BYTES


def tokens_of(*events: bytes) -> int:
    delivered = Delivered()
    for event in events:
        delivered.add_events(event, 1)
    return delivered.tokens()


@pytest.mark.parametrize(
    ("event", "tokens"),
    [
        (delta("a"), 1),
        (delta(WORD), 1),
        (delta(WORD * 10), 40),
        (delta('\\"' * 20), 20),
        (sse({"type": "response.output_text.delta", "delta": WORD * 10}), 40),
        (sse({"choices": [{"text": WORD * 10, "logprobs": None}]}), 40),
        (sse({"tool_calls": [{"function": {"name": "f", "arguments": WORD * 10}}]}), 40),
        (sse({"type": "response.created", "response": {"instructions": WORD * 10}}), 1),
    ],
)
def test_event_is_a_token_unless_it_has_the_text_of_several(event: bytes, tokens: int) -> None:
    assert tokens_of(event) == tokens
    assert tokens_of(*[event] * 5) == 5 * tokens


def test_long_answer_is_counted_before_its_end() -> None:
    event = delta(WORD * 1000)
    number = 2 * MAX_HELD_BYTES // len(event)
    assert tokens_of(*[event] * number) == number * 4000
    delivered = Delivered()
    for _ in range(3):
        delivered.add_bytes(b"x" * MAX_HELD_BYTES)
    assert delivered.tokens() == MAX_HELD_BYTES + 1


def test_json_is_counted_without_the_bytes_of_an_image() -> None:
    assert not Delivered().has_begun
    delivered = Delivered()
    delivered.add_bytes(json.dumps({"data": [{"b64_json": "A" * 90_000}]}).encode())
    assert delivered.has_begun
    assert 1500 < delivered.tokens() < 1530
