"""The console and the lines of functions."""

from __future__ import annotations

import io
import threading

from local.console import BoundedLog, Console, LineSplitter
from local.limits import BOUNDED_LOG_WINDOW_S, MAX_BOUNDED_LINES, MAX_WAITING_LOG_LINES
from tests.local.hand_clock import HandClock

OUTPUT = b"one\r\na traceback\rof two lines\n\nth\xc3\xa9ee\xff\nrest"
LINES = ["one", "a traceback\nof two lines", "", "théee\ufffd", "rest"]


def test_output_is_split_into_lines_at_every_split() -> None:
    for at in range(len(OUTPUT) + 1):
        splitter = LineSplitter()
        lines = splitter.feed(OUTPUT[:at]) + splitter.feed(OUTPUT[at:]) + splitter.end()
        assert (lines, splitter.end()) == (LINES, [])


def test_endless_line_comes_in_parts() -> None:
    lines = LineSplitter(limit=10)
    assert lines.feed(b"x" * 11) == ["x" * 11]
    assert lines.feed(b"y\n") == ["y"]


PATIENCE_S = 30.0


def test_terminal_without_a_character_shows_its_escape() -> None:
    written = io.BytesIO()
    console = Console(io.TextIOWrapper(written, encoding="ascii"))
    console.line("modèle 漢")
    console.close()
    assert written.getvalue() == b"mod\\xe8le \\u6f22\n"


class StuckOutput(io.StringIO):
    """An output whose reader is stuck until `go_on`; counts the writes."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        self.entered.set()
        self.go_on.wait()
        return super().write(text)


def test_stuck_console_drops_lines_and_writes_the_others_in_order_and_at_once() -> None:
    out = StuckOutput()
    console = Console(out)
    console.line("first")
    out.entered.wait()
    for number in range(MAX_WAITING_LOG_LINES + 7):
        console.line(str(number))
    out.go_on.set()
    while out.getvalue().count("\n") <= MAX_WAITING_LOG_LINES:
        out.entered.wait()
    console.line("last")
    console.close(PATIENCE_S)
    waiting = map(str, range(MAX_WAITING_LOG_LINES))
    dropped = "(The console was not read: 7 lines were dropped.)"
    assert out.getvalue() == "\n".join(["first", *waiting, dropped, "last", ""])
    assert out.writes == 3


class ClosedOutput(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def test_console_whose_reader_is_gone_is_ignored() -> None:
    console = Console(ClosedOutput())
    console.line("x")
    console.close()


def test_equal_lines_are_one_for_a_while_and_the_rest_is_counted() -> None:
    lines: list[str] = []
    clock = HandClock()
    log = BoundedLog("refused", lines.append, clock)
    for _ in range(1000):
        log.line("No.")
    log.line("Nor this.")
    assert lines == ["refused | No.", "refused | Nor this."]
    clock.advance(BOUNDED_LOG_WINDOW_S)
    assert lines[2:] == ["refused | 999 more in the last 5 seconds"]
    log.line("No.")
    clock.advance(BOUNDED_LOG_WINDOW_S)
    assert lines[3:] == ["refused | No."]


def test_flood_of_different_lines_is_bounded() -> None:
    lines: list[str] = []
    clock = HandClock()
    log = BoundedLog("refused", lines.append, clock)
    for number in range(1000):
        log.line(f"Page {number}.")
    clock.advance(BOUNDED_LOG_WINDOW_S)
    assert len(lines) == MAX_BOUNDED_LINES + 1
    assert lines[-1].startswith(f"refused | {1000 - MAX_BOUNDED_LINES} more")
