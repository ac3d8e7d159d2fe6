"""What a client gets of a model's answer: its text piece by piece, whole, or one value in it.

The system prompt has the model write a value as [[42]] or [[some text]]. The search runs while the
answer arrives and never goes back, so that the upstream can be closed as soon as a value is found.
"""

from __future__ import annotations

import re

from sluice.completions.request import ResponseType
from sluice.errors import NoMatch, UpstreamBroken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sluice.completions.events import CompletionEvent

INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")  # no prompt asks for longer numbers
BEGUN_INTEGER = re.compile(r"[+-]?[0-9]{0,1000}\]?")
MAX_ANSWER_CHARACTERS = 4 * 1024 * 1024
"""Maximum length of a `full` answer: far above any model's longest answer (some 128,000 tokens),
far below the function's memory."""
MAX_VALUE_CHARACTERS = 128 * 1024
"""Maximum length of a [[text]]: what fits a frame."""
EXCERPT_CHARACTERS = 200
THINKING, THOUGHT = "<think>", "</think>"
"""Around the reasoning that some servers leave in the text of an answer, at its beginning."""
ASCII_QUOTES = {
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
}
"""By code point: the four curly quotation marks of each kind, which are adjacent in Unicode."""


def text_deltas(events: Iterable[CompletionEvent]) -> Iterator[str]:
    """The pieces of the answer's text that are not empty."""
    return (event.text for event in events if event.text)


def with_ascii_quotes(deltas: Iterable[str]) -> Iterator[str]:
    """The deltas with straight quotation marks instead of curly ones."""
    return (delta.translate(ASCII_QUOTES) for delta in deltas)


def whole_text(deltas: Iterable[str]) -> str:
    """The answer in one piece."""
    pieces: list[str] = []
    size = 0
    for delta in deltas:
        size += len(delta)
        if size > MAX_ANSWER_CHARACTERS:
            raise UpstreamBroken(
                f"The answer has over {MAX_ANSWER_CHARACTERS} characters. Use response_type stream."
            )
        pieces.append(delta)
    return "".join(pieces)


def first_value(kind: ResponseType, deltas: Iterable[str]) -> str:
    """The first [[integer]] or [[text]]; nothing after it is read. Raises NoMatch."""
    search = IntegerSearch() if kind is ResponseType.INT else TextSearch()
    excerpt = ""
    for delta in without_thinking(deltas):
        excerpt += delta[: EXCERPT_CHARACTERS - len(excerpt)]
        value = search.feed(delta)
        if value is not None:
            return value
    form = "[[integer]]" if kind is ResponseType.INT else "[[text]]"
    raise NoMatch(f"The answer has no {form}. It begins: {excerpt}")


def without_thinking(deltas: Iterable[str]) -> Iterator[str]:
    """The deltas without <think>…</think> at the beginning, nor blanks there."""
    deltas = iter(deltas)
    begin = ""
    for delta in deltas:
        begin = (begin + delta).lstrip()
        if not THINKING.startswith(begin):
            break
    if begin.startswith(THINKING):
        while THOUGHT not in begin:
            following = next(deltas, None)
            if following is None:
                return
            begin = begin[-len(THOUGHT) :] + following
        begin = begin.partition(THOUGHT)[2]
    yield begin
    yield from deltas


class IntegerSearch:
    """Finds the first [[digits]], which may have a sign."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, delta: str) -> str | None:
        self._text += delta
        position = 0
        while (close := self._text.find("]]", position)) >= 0:
            opening = self._text.rfind("[[", position, close)
            if opening >= 0 and INTEGER.fullmatch(self._text, opening + 2, close):
                return self._text[opening + 2 : close]
            position = close + 1
        # Only the last [[ can still begin a value, and only while digits follow it.
        opening = self._text.rfind("[[", position)
        may_become_one = opening >= 0 and BEGUN_INTEGER.fullmatch(self._text, opening + 2)
        self._text = self._text[opening:] if may_become_one else self._text[-1:]
        return None


class TextSearch:
    """Finds the first [[text]] that is not blank: anything up to ]]."""

    def __init__(self) -> None:
        self._text = ""
        self._searched = 0  # no ]] begins before here

    def feed(self, delta: str) -> str | None:
        self._text += delta
        while (opening := self._text.find("[[")) >= 0:
            close = self._text.find("]]", max(opening + 2, self._searched))
            if close < 0:
                self._searched = max(0, len(self._text) - opening - 1)
                self._text = self._text[opening:]
                if len(self._text) > MAX_VALUE_CHARACTERS:
                    raise NoMatch(
                        f"The answer has [[ without ]] in {MAX_VALUE_CHARACTERS} characters."
                    )
                return None
            value = self._text[opening + 2 : close].strip()
            if value:
                return value
            self._text = self._text[close + 2 :]
            self._searched = 0
        self._text = self._text[-1:]
        return None
