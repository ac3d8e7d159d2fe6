"""The console: lines of ours and of the children, written by a thread of its own.

A console that nobody reads (a full pipe) must not stop the relay of an answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TextIO

from local.limits import LOG_GATHER_S, MAX_LOG_LINE_BYTES, MAX_WAITING_LOG_LINES

_CLOSE_WAIT_S = 2.0


class Console:
    """Writes lines to `out` in order, a burst of them at once; `close` waits for what is left."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._has_lines = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Print `text` and a newline; drops it when far too many lines wait."""
        if len(self._lines) >= MAX_WAITING_LOG_LINES:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.append(f"({self._dropped} lines were dropped: the console was not read)")
            self._dropped = 0
        self._lines.append(text)
        if not self._has_lines.is_set():
            self._has_lines.set()

    def close(self) -> None:
        """Print what waits and end."""
        self._closing.set()
        self._has_lines.set()
        self._thread.join(_CLOSE_WAIT_S)

    def _write(self) -> None:
        while self._lines or not self._closing.is_set():
            self._has_lines.wait()
            self._closing.wait(LOG_GATHER_S)
            # Before the lines are taken: one that comes now is not forgotten.
            self._has_lines.clear()
            self._print([self._lines.popleft() for _ in range(len(self._lines))])

    def _print(self, lines: list[str]) -> None:
        # The reader of our console may be gone; the service goes on without it.
        with contextlib.suppress(OSError, ValueError):
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()


class LineSplitter:
    """Cuts a child's output into lines (no I/O); a line that is too long comes in parts."""

    def __init__(self, limit: int = MAX_LOG_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take output as it was read; return the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limit:
            lines.append(self._rest)
            self._rest = b""
        return [_text(line) for line in lines]

    def end(self) -> list[str]:
        """Return the last line when the output ended without a newline."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")
