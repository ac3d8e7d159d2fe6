"""Shows answers: on a terminal without what it would obey, elsewhere as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import TextIO

from scripts.access.table import UNPRINTABLE
from scripts.chat.answers import Piece

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What terminals obey: escape sequences begin with one of these. A tab and a newline may pass."""
FIRST_HALF = re.compile("[\ud800-\udbff]$")
DIM, NORMAL = "\x1b[2m", "\x1b[0m"
USUAL_ENDS = ("", "stop")


class Joiner:
    """Joins the halves of a character that a model's pieces divide; a single half is U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """Return the whole characters so far."""
        text = self._half + text
        self._half = text[-1] if FIRST_HALF.search(text) else ""
        return _whole(text.removesuffix(self._half))

    def end(self) -> str:
        half, self._half = self._half, ""
        return _whole(half)


class Screen:
    """Writes to `out`; `now` is a clock in seconds."""

    def __init__(self, out: TextIO, environ: Mapping[str, str], now: Callable[[], float]) -> None:
        self._out = out
        self._now = now
        self.is_terminal = out.isatty()
        is_plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        self._has_colors = self.is_terminal and not is_plain

    def show(
        self, answer: Generator[Piece, None, None], on_text: Callable[[str], None] = lambda _: None
    ) -> None:
        """Write an answer as it comes, and on a terminal how long it took.

        on_text gets the same text. Raises what the answer raises, at the beginning of a line.
        """
        joiner, started = Joiner(), self._now()
        first_s, last, tokens, finish = 0.0, "", None, ""
        try:
            with closing(answer):
                for piece in answer:
                    tokens = piece.tokens if piece.tokens is not None else tokens
                    finish = piece.finish or finish
                    if text := joiner.feed(piece.text):
                        first_s = first_s or self._now() - started
                        last = text
                        on_text(text)
                        self._write(text)
        finally:
            rest = joiner.end()
            on_text(rest)
            self._write(rest if (rest or last or "\n").endswith("\n") else f"{rest}\n")
        begun = f"{first_s:.2f} s to the first token" if last or rest else "no text"
        counted = "" if tokens is None else f"{tokens} tokens "
        ended = f", ended by {finish}" if finish not in USUAL_ENDS else ""
        if self.is_terminal:
            self.note(_harmless(f"{begun}, {counted}in {self._now() - started:.2f} s{ended}"))

    def note(self, line: str) -> None:
        """Write a line that does not belong to an answer."""
        self._out.write(f"{DIM}{line}{NORMAL}\n" if self._has_colors else f"{line}\n")
        self._out.flush()

    def _write(self, text: str) -> None:
        self._out.write(_harmless(text) if self.is_terminal else text)
        self._out.flush()


def _harmless(text: str) -> str:
    """Windows' line ends become plain ones, all other control characters U+FFFD."""
    return CONTROL.sub(UNPRINTABLE, text.replace("\r", ""))


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
