"""The log line of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.errors import (
    Cancelled,
    ConnectionGone,
    DeadlineReached,
    InvalidJson,
    NoMatch,
    PostFailed,
    UpstreamUnreachable,
)
from sluice.request_log import RequestLog
from tests.sluice.clocks import HandClock


def fields_after(error: BaseException) -> dict[str, Any]:
    """The log line of a request that failed; it quotes nothing private."""
    (line,) = lines_after(error)
    assert "private" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def lines_after(*errors: BaseException) -> list[str]:
    lines: list[str] = []
    with RequestLog("r-1", "websocket", write=lines.append) as log:
        for error in errors:
            log.failed(error)
    return lines


def test_request_that_succeeded_is_one_line_with_its_figures() -> None:
    clock, lines = HandClock(), list[str]()
    with RequestLog("r-1", "websocket", clock, lines.append) as log:
        log.note(model="m", frames=3)
        clock.now += 0.25
        log.first_frame()
        clock.now += 1
        log.first_frame()
        log.first_byte()
        assert lines == []
    (line,) = lines
    assert json.loads(line) == {
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
def test_error_is_named_by_its_code(error: Exception, outcome: str) -> None:
    fields = fields_after(error)
    assert (fields["outcome"], fields["detail"]) == (outcome, str(error))
    assert "cause" not in fields


def test_first_error_counts() -> None:
    (line,) = lines_after(Cancelled("first"), PostFailed("second"))
    assert json.loads(line).items() >= {"outcome": "cancelled", "detail": "first"}.items()


def test_excerpt_of_an_answer_is_not_logged() -> None:
    assert fields_after(NoMatch("It begins: the private answer"))["outcome"] == "no_match"


def test_first_cause_of_an_error_is_named_and_not_quoted() -> None:
    error, between = UpstreamUnreachable("no"), OSError("private")
    error.__cause__, between.__context__ = between, ConnectionRefusedError("private")
    assert fields_after(error)["cause"] == "ConnectionRefusedError"


def test_cause_of_a_clients_mistake_and_a_suppressed_context_are_not_named() -> None:
    refused, mistake = PostFailed("refused"), InvalidJson("Invalid JSON.")
    refused.__context__, refused.__suppress_context__ = KeyError(), True
    mistake.__cause__ = ValueError("private")
    for error in (refused, mistake):
        assert "cause" not in fields_after(error)


def test_unexpected_exception_propagates_and_is_only_named() -> None:
    lines: list[str] = []
    with (
        pytest.raises(ValueError, match="private"),
        RequestLog("r-1", "websocket", write=lines.append),
    ):
        raise ValueError("the private answer")
    (line,) = lines
    assert json.loads(line).items() >= {"outcome": "internal_error", "cause": "ValueError"}.items()
    assert "private" not in line


def test_conversation_gets_the_figures_once_the_request_is_over() -> None:
    lines: list[str] = []
    with RequestLog("r-1", "websocket", write=lines.append) as log:
        log.with_conversation(lambda fields: [json.dumps({**fields, "answer": "Hi"}), "part"])
        log.note(status=200)
    whole, part = lines
    assert json.loads(whole).items() >= {"status": 200, "answer": "Hi", "outcome": "ok"}.items()
    assert "total_ms" in json.loads(whole)
    assert part == "part"


def test_fault_of_the_chat_log_costs_no_figures() -> None:
    def fails(_fields: object) -> list[str]:
        raise RecursionError("the private answer")

    lines: list[str] = []
    with RequestLog("r-1", "websocket", write=lines.append) as log:
        log.with_conversation(fails)
    (line,) = lines
    assert json.loads(line).items() >= {"outcome": "ok", "chat_log": "RecursionError"}.items()
    assert "private" not in line


def test_request_is_settled_with_its_first_error_before_its_line_is_written() -> None:
    lines: list[str] = []
    settled: list[tuple[BaseException | None, int]] = []
    first = PostFailed("one")
    with RequestLog("r", "url", write=lines.append) as log:
        log.settle_by(lambda error: settled.append((error, len(lines))))
        log.failed(first)
        log.failed(Cancelled("two"))
    assert settled == [(first, 0)]
    assert len(lines) == 1


def test_line_is_written_even_if_settling_fails() -> None:
    lines: list[str] = []

    def settle(_error: BaseException | None) -> None:
        raise LookupError

    with pytest.raises(LookupError), RequestLog("r", "url", write=lines.append) as log:
        log.settle_by(settle)
    assert len(lines) == 1
