"""How much to measure: everything for results, a part to see that a bench works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ThingT = TypeVar("ThingT")


@dataclass(frozen=True, slots=True)
class Plan:
    """share: part of the full work, above 0 and at most 1."""

    share: float = 1.0

    def times(self, full: int) -> int:
        """Repetitions of what a full measurement repeats `full` times."""
        return max(1, round(full * self.share))


QUICK = Plan(0.1)


def in_turns(things: Sequence[ThingT], rounds: int) -> Iterator[ThingT]:
    """Yield each thing once per round; each round begins with another one.

    A busy moment of the machine then affects all things, and none always follows the slowest.
    """
    for number in range(rounds):
        start = number % max(1, len(things))
        yield from things[start:]
        yield from things[:start]
