"""The console: a thread writes the lines of the stack and of its functions.

A console whose reader is stuck (a full pipe) must not stop the relay of an answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from io import TextIOWrapper
from typing import TextIO

from local.clock import Clock
from local.limits import (
    BOUNDED_LOG_WINDOW_S,
    LOG_GATHER_S,
    MAX_BOUNDED_LINES,
    MAX_LOG_LINE_BYTES,
    MAX_WAITING_LOG_LINES,
)

_CLOSE_WAIT_S = 2.0
"""Time `close` waits for the reader of the console, in seconds."""


class Console:
    """Writes lines to `out` in order, several at once; `close` writes those that still wait."""

    def __init__(self, out: TextIO) -> None:
        if isinstance(out, TextIOWrapper):
            # A terminal's encoding may lack a character of a model's name or of a prompt.
            out.reconfigure(errors="backslashreplace")
        self._out = out
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._has_lines = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Print `text` and a newline, or drop it when too many lines wait."""
        if len(self._lines) >= MAX_WAITING_LOG_LINES:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.append(f"(The console was not read: {self._dropped} lines were dropped.)")
            self._dropped = 0
        self._lines.append(text)
        if not self._has_lines.is_set():
            self._has_lines.set()

    def close(self, wait_s: float = _CLOSE_WAIT_S) -> None:
        """Print the waiting lines and stop; `wait_s` is for a reader that may be stuck."""
        self._closing.set()
        self._has_lines.set()
        self._thread.join(wait_s)

    def _write(self) -> None:
        while self._lines or not self._closing.is_set():
            self._has_lines.wait()
            self._closing.wait(LOG_GATHER_S)
            # Clear first: a line that arrives now must not be forgotten.
            self._has_lines.clear()
            self._print([self._lines.popleft() for _ in range(len(self._lines))])

    def _print(self, lines: list[str]) -> None:
        # The service keeps running after the console's reader has gone.
        with contextlib.suppress(OSError, ValueError):
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()


class BoundedLog:
    """Writes lines under a name; equal ones within some seconds, and a flood, are counted."""

    def __init__(self, name: str, write: Callable[[str], None], clock: Clock | None = None) -> None:
        self._name = name
        self._write = write
        self._clock = clock or Clock()
        self._shown: set[str] = set()
        self._counted = 0

    def line(self, text: str) -> None:
        if text in self._shown or len(self._shown) >= MAX_BOUNDED_LINES:
            self._counted += 1
            return
        if not self._shown:
            self._clock.call_later(BOUNDED_LOG_WINDOW_S, self._begin_again)
        self._shown.add(text)
        self._write(f"{self._name} | {text}")

    def _begin_again(self) -> None:
        self._shown.clear()
        counted, self._counted = self._counted, 0
        if counted:
            window = f"{BOUNDED_LOG_WINDOW_S:.0f} seconds"
            self._write(f"{self._name} | {counted} more in the last {window}")


class LineSplitter:
    """Splits a function's output into lines (no I/O); a line that is too long comes in parts."""

    def __init__(self, limit: int = MAX_LOG_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take more output; return the complete lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limit:
            lines.append(self._rest)
            self._rest = b""
        return [_text(line) for line in lines]

    def end(self) -> list[str]:
        """Return the last line if it has no newline."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    # The runtime divides a message of several lines by \r: one log event on Lambda.
    return line.rstrip(b"\r").replace(b"\r", b"\n").decode("utf-8", "replace")
