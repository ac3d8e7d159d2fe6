"""Conversations in lines: ours, those of Lambda's JSON logs, and those that came in parts."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest

from scripts.chatlog.chat_lines import conversations, is_chat_line
from scripts.chatlog.tally import Tally
from sluice.completions.conversation_lines import lines_of
from sluice.completions.conversation_log import Conversation
from sluice.upstream.call import chat_call

if TYPE_CHECKING:
    from collections.abc import Iterable


def logged(name: str, text: str) -> list[str]:
    """The lines of a request, as its function logs them."""
    body = json.dumps({"messages": [{"role": "user", "content": text}]})
    call = chat_call(body.encode())
    conversation = Conversation(call, call, tuple)
    conversation.add_event(json.dumps({"choices": [{"delta": {"content": "Hi"}}]}))
    return lines_of(conversation, {"request_id": name, "outcome": "ok"})


def found_in(lines: Iterable[str]) -> tuple[list[dict[str, Any]], Tally]:
    tally = Tally()
    return list(conversations(lines, tally)), tally


SHORT, LONG, LONGER = logged("a", "x"), logged("b", "\\\u8a9e" * 40_000), logged("c", "y" * 400_000)


def test_parts_are_joined_however_requests_are_interleaved() -> None:
    assert (len(SHORT), len(LONG) > 3, len(LONGER) > 3) == (1, True, True)
    pairs = zip_longest(reversed(LONG), LONGER, fillvalue="{}")
    mixed = [line for pair in pairs for line in pair]
    lines, tally = found_in([*mixed[:4], *SHORT, *mixed[4:], LONG[0], LONG[1]])
    assert sorted(line["request_id"] for line in lines) == ["a", "b", "c"]
    assert next(line for line in lines if line["request_id"] == "b")["messages"] == [
        {"role": "user", "content": "\\\u8a9e" * 40_000}
    ]
    assert tally.broken == 1  # the part that came once more


def test_part_that_is_missing_is_counted() -> None:
    lines, tally = found_in([*LONG[:-1], *SHORT])
    assert ([line["request_id"] for line in lines], tally.broken) == (["a"], 1)


@pytest.mark.parametrize("line", [*SHORT, LONG[1]])
def test_line_is_found_in_what_lambda_and_the_aws_cli_put_around_it(line: str) -> None:
    nested = json.dumps({"timestamp": "t", "level": "INFO", "message": line})
    for around in (line, nested, f"2026-11-30T10:00:00 abc {line}", f"stream | {line}\n"):
        assert is_chat_line(around)
        rest = [each for each in LONG[1:] if each != line] if "chat_part" in line else []
        lines, tally = found_in([around, *rest])
        assert (len(lines), tally.broken) == (1, 0)


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ('{"request_id": "r", "outcome": "ok"}', 0),
        ('{"message": {"request_id": "r"}}', 0),
        ('{"chat_part": 1, "request_id": 7}', 0),
        ('{"datetime": "x"}', 0),
        ('{"datetime": "2026', 1),
        ("[]", 1),
        ("START RequestId", 1),
        ("[" * 100_000, 1),
        ('{"message": "{"}', 1),
    ],
)
def test_line_without_a_conversation_is_passed_over(line: str, broken: int) -> None:
    lines, tally = found_in([line])
    assert (lines, tally.broken) == ([], broken)


def test_usual_lines_of_a_function_are_no_chat_lines() -> None:
    assert not any(map(is_chat_line, ("START RequestId: 1", '{"outcome": "ok"}', LONG[0])))
