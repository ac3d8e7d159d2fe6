"""The console and the lines of children."""

from __future__ import annotations

import io
import threading

import pytest

from local.console import Console, LineSplitter
from local.limits import MAX_WAITING_LOG_LINES

OUTPUT = b"one\r\ntwo\n\nth\xc3\xa9ee\xff\nrest"
LINES = ["one", "two", "", "théee\ufffd", "rest"]


@pytest.mark.parametrize("at", range(len(OUTPUT) + 1))
def test_output_is_cut_into_lines_at_every_split(at: int) -> None:
    lines = LineSplitter()
    assert lines.feed(OUTPUT[:at]) + lines.feed(OUTPUT[at:]) + lines.end() == LINES
    assert lines.end() == []


def test_endless_line_comes_in_parts() -> None:
    lines = LineSplitter(limit=10)
    assert lines.feed(b"x" * 11) == ["x" * 11]
    assert lines.feed(b"y\n") == ["y"]


def test_lines_are_written_in_order() -> None:
    out = io.StringIO()
    console = Console(out)
    for number in range(5):
        console.line(str(number))
    console.close()
    assert out.getvalue() == "0\n1\n2\n3\n4\n"


class StuckOutput(io.StringIO):
    """An output whose reader does not read until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.let_go.wait()
        return super().write(text)


def test_console_that_nobody_reads_stops_nobody() -> None:
    out = StuckOutput()
    console = Console(out)
    console.line("first")
    out.entered.wait()
    for number in range(MAX_WAITING_LOG_LINES + 7):
        console.line(str(number))
    out.let_go.set()
    while out.getvalue().count("\n") <= MAX_WAITING_LOG_LINES:
        out.entered.wait()
    console.line("last")
    console.close()
    assert out.getvalue().endswith("(7 lines were dropped: the console was not read)\nlast\n")


class CountingOutput(StuckOutput):
    """Counts what it is asked to write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_lines_that_wait_are_written_at_once() -> None:
    out = CountingOutput()
    console = Console(out)
    console.line("first")
    out.entered.wait()
    for number in range(100):
        console.line(str(number))
    out.let_go.set()
    console.close()
    assert out.getvalue() == "\n".join(["first", *map(str, range(100)), ""])
    assert out.writes == 2


class ClosedOutput(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def test_console_whose_reader_is_gone_is_left_alone() -> None:
    console = Console(ClosedOutput())
    console.line("x")
    console.close()
