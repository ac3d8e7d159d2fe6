"""How requests are counted against a rate: the three strategies of RATE_LIMIT_STRATEGY (no I/O).

Each is exact with any number of processes at once: a request is counted by a Change whose guards
hold for one request of each place. A fixed window has a counter of its own, so changes at once add
up. The other two replace one text: one of several changes passes, and the others look again.

Times are whole milliseconds of Unix time.
"""

from __future__ import annotations

from sluice.named_tuple import NamedTuple
from sluice.state.changes import AtMost, Equals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from sluice.limit_values import Rate
    from sluice.state.item import Item
else:
    Protocol = object  # it says something to type checkers alone

MAX_STAMPS = 1000
"""Most moments that a moving window remembers, in some 4 KB: DynamoDB bills each KB of a write.
A window for more requests rounds moments up to a thousandth of its length, so it lets a few less
through, and never one more."""
FULL = AtMost("full", -1)
"""A guard that holds for no item. The other guards of a full window would hold: what was seen of it
may be old, so its item is asked for, and yet nothing has changed."""
COUNTED, ELASTIC, MOVING = "n ", "e ", "m "
"""How the names of each strategy begin."""
LATE_MS = 60_000
"""How late a change may reach the store, clocks that differ included. Until then the counter of a
window that is over stays: without it, a late request would find an empty window."""


class Step(NamedTuple):
    """What counting one request does to an item: parts of a Change."""

    guards: tuple[AtMost | Equals, ...]
    add: dict[str, int]
    put: dict[str, str]
    remove: tuple[str, ...]


class Count(NamedTuple):
    """used: requests that count now. free_at: when one more would fit, if none fits now.

    reset_at: when nothing counts any more.
    """

    used: int
    free_at: int
    reset_at: int


class Window(Protocol):
    """One rate, counted by one strategy under one name."""

    rate: Rate

    def count(self, item: Item, now: int) -> Count: ...

    def step(self, item: Item, now: int) -> Step:
        """Counts one request. `item` may be older than what is stored: then a guard fails."""


class FixedWindow:
    """Windows begin at multiples of their length, for everyone at once."""

    def __init__(self, name: str, rate: Rate) -> None:
        self.rate = rate
        self._prefix = f"{COUNTED}{name} {rate.seconds} "

    def count(self, item: Item, now: int) -> Count:
        number = self._number(now)
        end = (number + 1) * self.rate.seconds * 1000
        return Count(int(item.get(f"{self._prefix}{number}", 0)), end, end)

    def step(self, item: Item, now: int) -> Step:
        name = f"{self._prefix}{self._number(now)}"
        first_kept = self._number(now - LATE_MS)
        old = tuple(n for n in item if n.startswith(self._prefix) and self._of(n) < first_kept)
        return Step((AtMost(name, self.rate.amount - 1),), {name: 1}, {}, old)

    def _of(self, name: str) -> int:
        return int(name.removeprefix(self._prefix))

    def _number(self, now: int) -> int:
        return now // (self.rate.seconds * 1000)


class ElasticWindow:
    """A window begins with a request, and each request that is let in begins it anew."""

    def __init__(self, name: str, rate: Rate) -> None:
        self.rate = rate
        self._name = f"{ELASTIC}{name} {rate.seconds}"

    def count(self, item: Item, now: int) -> Count:
        end, used = self._read(item)
        return Count(used, end, end) if end > now else Count(0, now, now)

    def step(self, item: Item, now: int) -> Step:
        end, used = self._read(item)
        new_end = max(now + self.rate.seconds * 1000, end)  # clocks differ: never an earlier end
        text = f"{new_end} {used + 1 if end > now else 1}"
        guard = _same_text(self._name, item, self.count(item, now), self.rate)
        return Step((guard,), {}, {self._name: text}, ())

    def _read(self, item: Item) -> tuple[int, int]:
        text = item.get(self._name)
        if text is None:
            return 0, 0
        end, used = str(text).split(" ")
        return int(end), int(used)


class MovingWindow:
    """Every request counts for the window's length from its own moment on.

    The item has the moments: the first, then the distance of each from the one before, with
    "xNUMBER" where several requests share it.
    """

    def __init__(self, name: str, rate: Rate) -> None:
        self.rate = rate
        self._name = f"{MOVING}{name} {rate.seconds}"
        self._length = rate.seconds * 1000
        self._unit = 1 if rate.amount <= MAX_STAMPS else self._length // MAX_STAMPS

    def count(self, item: Item, now: int) -> Count:
        stamps = self._stamps(item, now)
        used = sum(number for _, number in stamps)
        free_at, left = now, used
        for moment, number in stamps:
            if left < self.rate.amount:
                break
            free_at, left = moment + self._length, left - number
        return Count(used, free_at, stamps[-1][0] + self._length if stamps else now)

    def step(self, item: Item, now: int) -> Step:
        guard = _same_text(self._name, item, self.count(item, now), self.rate)
        stamps = self._stamps(item, now)
        moment = -(-now // self._unit) * self._unit
        last, number = stamps[-1] if stamps else (0, 0)
        if moment > last:
            stamps.append((moment, 1))
        else:  # clocks differ: a moment before the last one would end too early
            stamps[-1] = (last, number + 1)
        return Step((guard,), {}, {self._name: _written(stamps)}, ())

    def _stamps(self, item: Item, now: int) -> list[tuple[int, int]]:
        """The moments that still count, in order, each with its number of requests."""
        text = item.get(self._name)
        return [s for s in _read(str(text)) if s[0] + self._length > now] if text else []


def _same_text(name: str, item: Item, count: Count, rate: Rate) -> AtMost | Equals:
    """The guard of a window that is one text: nobody else has counted since it was seen."""
    return Equals(name, item.get(name)) if count.used < rate.amount else FULL


def _written(stamps: list[tuple[int, int]]) -> str:
    words, before = [], 0
    for moment, number in stamps:
        words.append(f"{moment - before}x{number}" if number > 1 else str(moment - before))
        before = moment
    return " ".join(words)


def _read(text: str) -> Iterator[tuple[int, int]]:
    moment = 0
    for word in text.split(" "):
        distance, _, number = word.partition("x")
        moment += int(distance)
        yield moment, int(number or 1)


def merged_counts(name: str, one: str, other: str | int) -> str | int:
    """What two items count together under a name of an elastic or a moving window."""
    if name.startswith(ELASTIC):
        both = [tuple(map(int, str(text).split(" "))) for text in (one, other)]
        return f"{max(end for end, _ in both)} {sum(used for _, used in both)}"
    if name.startswith(MOVING):
        return _written(sorted([*_read(one), *_read(str(other))]))
    return other


STRATEGIES: dict[str, Callable[[str, Rate], Window]] = {
    "fixed-window": FixedWindow,
    "fixed-window-elastic-expiry": ElasticWindow,
    "moving-window": MovingWindow,
}
"""RATE_LIMIT_STRATEGY's values."""
