"""A change of one stored item, which happens as a whole or not at all (no I/O).

Additions need no earlier read, so changes of many processes at once do not hinder each other.
"""

from __future__ import annotations

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from sluice.state.item import Item

    Guard: TypeAlias = "AtMost | Equals | Present"


class AtMost(NamedTuple):
    """The number under `name` is at most `maximum`. A missing number counts as 0."""

    name: str
    maximum: int


class Equals(NamedTuple):
    """The value under `name` is this one. None: nothing is stored under that name."""

    name: str
    value: str | int | None


class Present(NamedTuple):
    """Something is stored under `name`."""

    name: str


class Change(NamedTuple):
    """What happens to the item under `key`. A missing item counts as an empty one.

    guards: without all of them nothing happens. may_repeat: whether a store that does not learn
    if a change has happened makes it again. Then a guard must fail, or no harm be done.
    add: to numbers, 0 where there is none. put: replaces values. remove: names, whether stored or
    not. No name may occur twice in these three.
    expires_at: the item's new expiry, Unix time in seconds; None to keep it for good.
    """

    key: str
    expires_at: float | None
    guards: tuple[Guard, ...] = ()
    add: Mapping[str, int] = {}
    put: Mapping[str, str | int] = {}
    remove: tuple[str, ...] = ()
    may_repeat: bool = True


class Outcome(NamedTuple):
    """was_applied: whether all guards held. item: as it is now, changed or not."""

    was_applied: bool
    item: Item


def outcome_of(change: Change, item: Item) -> Outcome:
    """What the change makes of an item."""
    if not all(_holds(guard, item) for guard in change.guards):
        return Outcome(was_applied=False, item=item)
    sums = {name: _number(item, name) + amount for name, amount in change.add.items()}
    changed = {**item, **sums, **change.put}
    kept = {name: value for name, value in changed.items() if name not in change.remove}
    return Outcome(was_applied=True, item=kept)


def _holds(guard: Guard, item: Item) -> bool:
    if isinstance(guard, AtMost):
        return _number(item, guard.name) <= guard.maximum
    if isinstance(guard, Equals):
        return item.get(guard.name) == guard.value
    return guard.name in item


def _number(item: Item, name: str) -> int:
    return int(item.get(name, 0))
