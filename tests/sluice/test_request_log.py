"""The line that a request leaves in the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.errors import (
    Cancelled,
    ConnectionGone,
    DeadlineReached,
    NoMatch,
    PostFailed,
    UpstreamUnreachable,
)
from sluice.request_log import RequestLog


class HandClock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def log(clock: HandClock, lines: list[str]) -> RequestLog:
    return RequestLog("r-1", "websocket", clock, lines.append)


def fields_of(lines: list[str]) -> dict[str, Any]:
    (line,) = lines
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_request_that_went_well_is_one_line_with_its_figures(
    log: RequestLog, clock: HandClock, lines: list[str]
) -> None:
    with log:
        log.note(model="m", frames=3)
        clock.now += 0.25
        log.first_frame()
        clock.now += 1
        log.first_frame()
        log.first_byte()
        assert lines == []
    assert fields_of(lines) == {
        "request_id": "r-1",
        "transport": "websocket",
        "outcome": "ok",
        "model": "m",
        "frames": 3,
        "first_frame_ms": 250.0,
        "first_byte_ms": 1250.0,
        "total_ms": 1250.0,
    }


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Cancelled("enough"), "cancelled"),
        (ConnectionGone("gone"), "connection_gone"),
        (DeadlineReached("over"), "deadline_exceeded"),
        (UpstreamUnreachable("no"), "upstream_unreachable"),
    ],
)
def test_error_is_named_by_its_code(
    log: RequestLog, lines: list[str], error: Exception, outcome: str
) -> None:
    with log:
        log.failed(error)
    fields = fields_of(lines)
    assert (fields["outcome"], fields["detail"]) == (outcome, str(error))
    assert "cause" not in fields


def test_first_error_counts(log: RequestLog, lines: list[str]) -> None:
    with log:
        log.failed(Cancelled("first"))
        log.failed(PostFailed("second"))
    assert (fields_of(lines)["outcome"], fields_of(lines)["detail"]) == ("cancelled", "first")


def test_excerpt_of_an_answer_stays_out_of_the_log(log: RequestLog, lines: list[str]) -> None:
    with log:
        log.failed(NoMatch("It begins: the private answer"))
    assert fields_of(lines)["outcome"] == "no_match"
    assert "private" not in lines[0]


def test_first_cause_of_an_error_is_named_and_not_quoted(log: RequestLog, lines: list[str]) -> None:
    error, between = UpstreamUnreachable("no"), OSError("private")
    error.__cause__, between.__context__ = between, ConnectionRefusedError("private")
    with log:
        log.failed(error)
    assert fields_of(lines)["cause"] == "ConnectionRefusedError"
    assert "private" not in lines[0]


def test_suppressed_context_is_no_cause(log: RequestLog, lines: list[str]) -> None:
    error = PostFailed("refused")
    error.__context__, error.__suppress_context__ = KeyError(), True
    with log:
        log.failed(error)
    assert "cause" not in fields_of(lines)


def test_unforeseen_exception_leaves_the_block_and_is_named_only(
    log: RequestLog, lines: list[str]
) -> None:
    with pytest.raises(ValueError, match="private"), log:
        raise ValueError("the private answer")
    fields = fields_of(lines)
    assert (fields["outcome"], fields["cause"]) == ("internal_error", "ValueError")
    assert "private" not in lines[0]


def test_conversation_is_in_the_line_where_it_is_recorded(
    log: RequestLog, lines: list[str]
) -> None:
    with log:
        log.conversation([{"role": "user", "content": "\u8a9e\ud83d"}], "\ud83d")
    assert lines[0].isascii()
    assert fields_of(lines)["messages"] == [{"role": "user", "content": "\u8a9e\ud83d"}]
