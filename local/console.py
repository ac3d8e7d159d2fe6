"""The console: lines of ours and of the children, written by a thread of its own.

A console that nobody reads (a full pipe) must not stop the relay of an answer.
"""

from __future__ import annotations

import queue
import threading
from typing import TextIO

from local.limits import MAX_LOG_LINE_BYTES, MAX_WAITING_LOG_LINES

_CLOSE_WAIT_S = 2.0


class Console:
    """Writes lines to `out` in order; `close` waits a moment for what is left."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Print `text` and a newline; drops it when far too many lines wait."""
        if self._lines.qsize() >= MAX_WAITING_LOG_LINES:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.put(f"({self._dropped} lines were dropped: the console was not read)")
            self._dropped = 0
        self._lines.put(text)

    def close(self) -> None:
        """Print what waits and end."""
        self._lines.put(None)
        self._thread.join(_CLOSE_WAIT_S)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            try:
                self._out.write(f"{text}\n")
                self._out.flush()
            except (OSError, ValueError):
                # The reader of our console is gone; the service goes on without it.
                continue


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
