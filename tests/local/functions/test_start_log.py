"""The output of functions that start."""

from __future__ import annotations

from local.functions.start_log import StartLog
from local.limits import START_LOG_HOLD_S
from tests.local.hand_clock import HandClock


def test_lines_are_held_until_the_start_is_over() -> None:
    lines: list[str] = []
    log = StartLog(lines.append, HandClock())
    log.line("one")
    log.line("two")
    assert lines == []
    log.release()
    log.line("three")
    assert lines == ["one", "two", "three"]


def test_lines_of_a_slow_start_are_shown_after_a_delay() -> None:
    lines: list[str] = []
    clock = HandClock()
    log = StartLog(lines.append, clock)
    for line in ("one", "two"):
        log.line(line)
        assert line not in lines
        clock.advance(START_LOG_HOLD_S)
        assert lines[-1] == line


def test_muted_lines_are_never_shown() -> None:
    lines: list[str] = []
    log = StartLog(lines.append, HandClock())
    log.line("one")
    log.mute()
    log.line("two")
    log.release()
    log.line("three")
    assert lines == []
