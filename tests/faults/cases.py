"""A case: one request of one client, with the faults that strike it. All of it follows from a seed.

Each party of the campaign (model, proxies, clients) finds the case by the question's number and
asks it whether a fault strikes now.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.faults.oracle import HONEST, Answer, Verdict

Step = Callable[[Any], Awaitable[None]]
"""Does one thing to the exchange of its border."""

QUESTION = re.compile(rb"Give answer (\d+)\.")
LENGTHS = (1, 3, 8, 30)  # parts
PADDINGS = (0, 0, 20, 400, 4000)  # characters
LARGE_PADDING = 20_000  # 30 parts are 600 kB
GAPS_S = (0.0, 0.0, 0.002, 0.01)  # between two parts of the model
LONG_GAP_S = 0.1  # 30 parts take three seconds
SECOND_FAULT = 0.2
"""Share of the cases that a fault of another border strikes as well."""
ALWAYS = 1000
"""For faults that strike each attempt."""

EVENT, ANSWER, CONNECT_EVENT, CONNECTION = "event", "answer", "connect event", "connection"
"""Moments of faults: a function gets its event, or posts its answer; `connect` gets its event; the
gateway connects to the provider."""


class Border(StrEnum):
    """Where a fault strikes."""

    NONE = "none"
    UPSTREAM = "upstream"
    CONNECTIONS = "@connections"
    FUNCTION = "function"
    RUNTIME_API = "Runtime API"
    CLIENT = "client"


class Way(StrEnum):
    """How a client requests its answer."""

    URL_EVENTS = "url events"
    URL_JSON = "url json"
    URL_TEXT = "url text"
    CHAT = "websocket chat"
    TEXTS = "websocket texts"
    FULL = "websocket full"


URL = frozenset({Way.URL_EVENTS, Way.URL_JSON, Way.URL_TEXT})
WEBSOCKET = frozenset({Way.CHAT, Way.TEXTS, Way.FULL})
STREAMED = frozenset({Way.URL_EVENTS, Way.CHAT, Way.TEXTS})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong in a case."""

    border: Border
    name: str
    steps: tuple[Step, ...] = ()
    leads_to: frozenset[Verdict] = HONEST
    """The verdicts that docs/reliability.md allows."""
    ways: frozenset[Way] = URL | WEBSOCKET
    times: int = 1
    """How many attempts it strikes."""
    moment: str = ""
    """Which of its border's exchanges it strikes."""
    leaves_doubt: bool = False
    """Whether a frame was taken and its sender cannot know: then one more may follow the end."""
    takes_long: bool = False
    """Whether it strikes answers that take seconds."""
    is_slow_reader: bool = False
    """Whether its client reads a large answer slowly, from a small buffer."""

    def __str__(self) -> str:
        return f"{self.border}: {self.name}"


@dataclass(slots=True, eq=False)
class Case:
    """One request. `random` decides about what its faults leave open."""

    answer: Answer
    way: Way
    faults: tuple[Fault, ...]
    gap_s: float
    at: int
    """Where within the answer a fault strikes: a part, or a post."""
    random: random.Random
    struck: list[Fault] = field(default_factory=list)
    posts: int = 0
    kills: int = 0
    """How many processes were killed while they worked on it."""
    hurry: Callable[[], None] = lambda: None
    """Shortens the client's patience."""

    @classmethod
    def plain(cls, number: int, way: Way) -> Case:
        """Return a case without a fault."""
        return cls(Answer(number, LENGTHS[-1]), way, (), 0.0, 0, random.Random(number))  # noqa: S311

    @property
    def question(self) -> str:
        return f"Give answer {self.answer.number}."

    @property
    def has_slow_reader(self) -> bool:
        return any(fault.is_slow_reader for fault in self.faults)

    def strike(self, border: Border, moment: str = "") -> Fault | None:
        """Return the fault that strikes this exchange, and count it."""
        for fault in self.faults:
            fits = (fault.border, fault.moment) == (border, moment)
            if fits and self.struck.count(fault) < fault.times:
                self.struck.append(fault)
                return fault
        return None

    @property
    def struck_by(self) -> tuple[Fault, ...]:
        """The faults that struck, once each."""
        return tuple(dict.fromkeys(self.struck))

    def allowed(self) -> frozenset[Verdict]:
        """Return the verdicts that are right after the faults that struck."""
        return frozenset({Verdict.WHOLE}).union(*(fault.leads_to for fault in self.struck_by))

    def __str__(self) -> str:
        faults = " and ".join(map(str, self.struck_by)) or "no fault"
        return f"answer {self.answer.number} ({self.way}; {faults})"


class Cases:
    """The cases that are under way, by their numbers."""

    def __init__(self) -> None:
        self._running: dict[int, Case] = {}
        self.kills = 0

    def begin(self, case: Case) -> None:
        self._running[case.answer.number] = case

    def end(self, case: Case) -> None:
        """Let no fault strike it any more."""
        del self._running[case.answer.number]

    def asked_in(self, data: bytes) -> Case | None:
        """Return the case whose question is in a request or an event."""
        found = QUESTION.search(data)
        return self.numbered(int(found[1])) if found else None

    def numbered(self, number: int) -> Case | None:
        return self._running.get(number)


def case_of(seed: int, number: int, faults: Sequence[Fault]) -> Case:
    """Return a case that is always the same. Every fault comes once in as many cases in a row."""
    rows = list(faults)
    order, rnd = number % len(rows), random.Random(f"{seed}/{number}")  # noqa: S311 -- no secret
    random.Random(f"{seed}/{number // len(rows)}").shuffle(rows)  # noqa: S311
    first = rows[order]
    way = rnd.choice(sorted(first.ways))
    others = [row for row in rows if row.border is not first.border and way in row.ways]
    # Of a large answer the provider's kernel holds a part, which a reset would drop.
    may_have_two = others and not first.is_slow_reader
    second = (rnd.choice(others),) if may_have_two and rnd.random() < SECOND_FAULT else ()
    length, gap_s = rnd.choice(LENGTHS), rnd.choice(GAPS_S)
    if first.takes_long:
        length, gap_s = LENGTHS[-1], LONG_GAP_S
    padding = rnd.choice(PADDINGS)
    if first.is_slow_reader:
        length, padding = LENGTHS[-1], LARGE_PADDING
    answer = Answer(number, length, padding)
    return Case(answer, way, (first, *second), gap_s, rnd.randrange(length), rnd)
