"""The console's lines about refused requests."""

from __future__ import annotations

from local.http.refusals import RefusalLog
from local.limits import MAX_REFUSAL_LINES, REFUSAL_WINDOW_S
from tests.local.hand_clock import HandClock


def test_equal_refusals_are_one_line_for_a_while_and_the_rest_is_counted() -> None:
    lines: list[str] = []
    clock = HandClock()
    log = RefusalLog(lines.append, clock)
    for _ in range(1000):
        log.note("Function URL", 403, "No.")
    log.note("WebSocket", 403, "No.")
    assert lines == ["refused | Function URL, 403: No.", "refused | WebSocket, 403: No."]
    clock.advance(REFUSAL_WINDOW_S)
    assert lines[2:] == ["refused | 999 more in the last 5 seconds"]
    log.note("Function URL", 403, "No.")
    clock.advance(REFUSAL_WINDOW_S)
    assert lines[3:] == ["refused | Function URL, 403: No."]


def test_flood_of_different_refusals_is_bounded() -> None:
    lines: list[str] = []
    clock = HandClock()
    log = RefusalLog(lines.append, clock)
    for number in range(1000):
        log.note("WebSocket", 403, f"Page {number}.")
    clock.advance(REFUSAL_WINDOW_S)
    assert len(lines) == MAX_REFUSAL_LINES + 1
    assert lines[-1].startswith(f"refused | {1000 - MAX_REFUSAL_LINES} more")
