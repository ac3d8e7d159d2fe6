"""What LOG_CHAT=true leaves in the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.conversation_log import (
    MAX_LOGGED_ANSWER_CHARACTERS,
    MAX_LOGGED_MESSAGES_BYTES,
    MAX_RECORDED_BYTES,
    Recording,
    said_in,
    shortened,
)
from tests.scripted_upstream import ScriptedUpstream, answer_stream, replies, says
from tests.sluice.url.asking import HELLO, SECRET, ask

if TYPE_CHECKING:
    from collections.abc import Mapping

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
def test_what_a_client_says_is_found_in_every_kind_of_request(document: Any, said: Any) -> None:
    assert said_in(json.dumps(document).encode()) == said


def test_body_that_is_no_json_says_nothing() -> None:
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


@pytest.mark.parametrize("response_type", ["stream", "full"])
def test_conversation_over_the_url_is_logged_where_that_is_wanted(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], response_type: str
) -> None:
    upstream.script = says("the ", "answer")
    request = {"messages": HELLO, "response_type": response_type}
    ask(upstream.url, "POST", "/", request, LOG_CHAT="true")
    fields = json.loads(capsys.readouterr().out)
    assert (fields["messages"], fields["answer"]) == (HELLO, "the answer")


def test_nothing_of_a_conversation_is_logged_where_it_is_not_wanted(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = replies(200, {"choices": [{"message": {"content": "the answer"}}]})
    ask(upstream.url, "POST", "/v1/chat/completions", {"messages": HELLO})
    line = capsys.readouterr().out
    assert "Hello" not in line
    assert "answer" not in line


def test_gateways_own_key_is_not_logged_with_an_answer(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says(f"your key is {SECRET}")
    ask(upstream.url, "POST", "/", {"messages": HELLO, "response_type": "full"}, LOG_CHAT="true")
    line = capsys.readouterr().out
    assert SECRET not in line
    assert json.loads(line)["answer"] == "your key is [key]"


def test_key_of_digits_is_not_logged_as_a_number(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    message = {"role": "user", "content": [{"type": "x", "number": 1234567890}]}
    ask(
        upstream.url,
        "POST",
        "/",
        {"messages": [message]},
        OPENAI_API_KEY="1234567890",
        LOG_CHAT="true",
    )
    line = capsys.readouterr().out
    assert "1234567890" not in line
    assert json.loads(line)["outcome"] == "ok"


def test_answer_is_logged_as_far_as_a_line_holds_it(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says("x" * 2 * MAX_LOGGED_ANSWER_CHARACTERS)
    ask(upstream.url, query={"message": "Hello"}, LOG_CHAT="true")
    fields = json.loads(capsys.readouterr().out)
    assert (fields["messages"], fields["answer"]) == (HELLO, "x" * MAX_LOGGED_ANSWER_CHARACTERS)
