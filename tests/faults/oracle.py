"""Answers whose text says which part of which answer it is, and the verdict on what a client saw.

No I/O. A part is `(7.3:xx)`: the fourth part of answer 7, with some padding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

PART = re.compile(r"\((\d+)\.(\d+):x*\)")


@dataclass(frozen=True, slots=True)
class Answer:
    """The text that a model gives."""

    number: int
    length: int
    """How many parts it has."""
    padding: int = 0

    def part(self, index: int) -> str:
        return f"({self.number}.{index}:{'x' * self.padding})"

    @property
    def parts(self) -> list[str]:
        return [self.part(index) for index in range(self.length)]

    @property
    def text(self) -> str:
        return "".join(self.parts)


class End(StrEnum):
    """What told the client that the answer is over."""

    MARK = "the end mark"
    ERROR = "an error, or a connection that broke"
    OWN = "the client's own decision"
    NOTHING = "nothing, however long it waited"


@dataclass(slots=True)
class Seen:
    """What a client saw of one answer. `seq` has the numbers of a chat's frames."""

    text: str = ""
    end: End = End.NOTHING
    seq: list[int] = field(default_factory=list)
    note: str = ""
    """The code of the error, or how the connection broke."""

    def ended(self, end: End, note: str = "") -> Seen:
        self.end, self.note = end, note
        return self


class Verdict(StrEnum):
    """What became of an answer."""

    WHOLE = "whole"
    REPORTED = "reported"
    """Not whole, and the client knows it."""
    LEFT = "left"
    """The client left before the end."""
    LOST = "lost"
    """A part is missing, and nothing says so."""
    REORDERED = "reordered"
    DOUBLED = "doubled"
    SILENT = "silent"
    """The client waits, and gets neither an end nor an error."""
    FOREIGN = "foreign"
    """Parts of another client's answer."""


HONEST = frozenset({Verdict.WHOLE, Verdict.REPORTED, Verdict.LEFT})
"""Nothing was lost, reordered or doubled, and no client waits in vain."""


def judge(answer: Answer, seen: Seen) -> Verdict:
    """Return what became of the answer. What arrived counts before how it ended."""
    found = [(int(number), int(index)) for number, index in PART.findall(seen.text)]
    indexes = [index for _, index in found]
    if any(number != answer.number for number, _ in found):
        return Verdict.FOREIGN
    if len(set(indexes)) < len(indexes) or len(set(seen.seq)) < len(seen.seq):
        return Verdict.DOUBLED
    if indexes != sorted(indexes) or seen.seq != sorted(seen.seq):
        return Verdict.REORDERED
    has_gap = not answer.text.startswith(seen.text) or seen.seq != list(range(len(seen.seq)))
    if has_gap or (seen.end is End.MARK and seen.text != answer.text):
        return Verdict.LOST
    return _BY_END[seen.end]


_BY_END = {
    End.MARK: Verdict.WHOLE,
    End.ERROR: Verdict.REPORTED,
    End.OWN: Verdict.LEFT,
    End.NOTHING: Verdict.SILENT,
}
