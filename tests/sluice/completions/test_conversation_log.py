"""What LOG_CHAT=true writes to the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.conversation_log import (
    MAX_LOGGED_MESSAGES_BYTES,
    MAX_RECORDED_BYTES,
    Recording,
    said_in,
    shortened,
)
from tests.scripted_upstream import answer_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

HELLO = [{"role": "user", "content": "Hello"}]
STREAM = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"model": "m", "messages": HELLO}, HELLO),
        (
            {"model": "m", "input": "Hi", "instructions": "Be"},
            {"input": "Hi", "instructions": "Be"},
        ),
        ({"model": "m", "prompt": "Hi"}, {"prompt": "Hi"}),
        ([], None),
    ],
)
def test_prompts_are_found_in_every_kind_of_request(document: Any, said: Any) -> None:
    assert said_in(json.dumps(document).encode()) == said


def test_body_that_is_not_json_has_no_prompt() -> None:
    assert said_in(b"\x00\xff") is None


def test_messages_that_are_too_long_are_cut() -> None:
    assert shortened(HELLO) is HELLO
    assert len(shortened(["x" * MAX_LOGGED_MESSAGES_BYTES])) == MAX_LOGGED_MESSAGES_BYTES // 2


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (STREAM, answer_stream(["a", "b"]), "ab"),
        (STREAM, answer_stream(["a", "b"])[:-30], "ab"),
        (JSON, b'{"choices":[{"message":{"content":"all"}}]}', "all"),
        (JSON, b": ping\n\n" + answer_stream(["a", "b"]), "ab"),
        (JSON, b'{"data":[]}', '{"data":[]}'),
        ({"content-type": "audio/mpeg"}, b"ID3\x00\xff", ""),
    ],
)
def test_recording_has_the_text_of_an_answer(
    headers: Mapping[str, str], body: bytes, text: str
) -> None:
    for cut in range(len(body)):
        recording = Recording()
        recording.add_chunk(body[:cut])
        recording.add_chunk(body[cut:])
        assert recording.text(headers) == text


def test_recording_is_bounded() -> None:
    recording = Recording()
    for _ in range(100):
        recording.add_chunk(b"x" * (MAX_RECORDED_BYTES // 10))
    assert sum(map(len, recording._chunks)) == MAX_RECORDED_BYTES  # noqa: SLF001 -- its memory
