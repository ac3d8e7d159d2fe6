"""The blocks of a page that a test runs, and what they print (no I/O).

A comment in front of a block marks it; readers of the page do not see it:

    <!-- run: NAME=value … -->    run it against `npm start` with these variables, in its shell too
    <!-- console -->              a line of the console of that `npm start` holds each of these
    <!-- provoke: COMMAND -->     run COMMAND as well, which prints this block

The block without a language that follows a marked one is what it prints. `…` stands for any text,
and blanks for line ends.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>run|console|provoke)(?:: (?P<what>.*?))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_BLANK = re.compile(r"\s*")
_ANY = "…"


@dataclass(frozen=True, slots=True)
class MarkedBlock:
    """A command with the settings of `npm start` for it, and the texts that it must cause.

    prints: None if the page does not say. console: parts of lines.
    """

    line: int
    settings: tuple[tuple[str, str], ...]
    language: str
    command: str
    prints: str | None = None
    console: tuple[str, ...] = ()


def marked_blocks(page: str) -> list[MarkedBlock]:
    """Return the marked blocks of a page, in its order. Settings count for what follows them."""
    found: list[MarkedBlock] = []
    settings: tuple[tuple[str, str], ...] = ()
    end = -1
    for fence in _FENCE.finditer(page):
        mark, text = fence["mark"], fence["text"]
        line = page.count("\n", 0, fence.start()) + 1
        follows = end >= 0 and _BLANK.fullmatch(page, end, fence.start()) is not None
        end = -1
        if mark == "run":
            settings = tuple(_pairs(fence["what"] or ""))
            found.append(MarkedBlock(line, settings, fence["language"], text))
            end = fence.end()
        elif mark == "provoke":
            found.append(MarkedBlock(line, settings, "sh", fence["what"], text))
        elif mark == "console":
            found[-1] = replace(found[-1], console=tuple(text.splitlines()))
        elif follows and not fence["language"]:
            found[-1] = replace(found[-1], prints=text)
    return found


def unmarked_commands(page: str) -> list[str]:
    """Return the lines of the shell blocks that no test runs; continued lines are one."""
    return [
        line
        for fence in _FENCE.finditer(page)
        if fence["language"] == "sh" and not fence["mark"]
        for line in fence["text"].replace("\\\n", " ").splitlines()
        if line
    ]


def matches(expected: str, printed: str) -> bool:
    """Return whether `printed` begins with the expected text, in which `…` stands for any.

    A blank and a line end are the same: words may share a frame, or have one each.
    """
    escaped = re.escape(expected.strip())
    pattern = re.sub(r"(?:\\\s)+", r"\\s+", escaped).replace(_ANY, ".*?")
    return re.match(pattern, printed.strip(), re.DOTALL) is not None


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (word.partition("=") for word in shlex.split(text))]
