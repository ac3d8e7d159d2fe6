"""The state store: small items under keys, each with an expiry, shared by all invocations."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from sluice.state.changes import Change, Outcome
    from sluice.state.item import Item
else:
    Protocol = object  # it says something to type checkers alone

MAX_KEYS = 100
"""Maximum number of keys in one `get_all`: BatchGetItem's limit.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


class StateStore(Protocol):
    """Items under keys. Every method may be called from any thread.

    All raise StateUnavailable within bounded time if the store fails. The error names no value.
    """

    def put(self, key: str, item: Item, expires_at: float) -> None:
        """Store `item` under `key`; it replaces the previous item as a whole.

        `key` may have 2048 bytes in UTF-8. `expires_at` is Unix time in seconds; fractions are
        rounded up to the next second.
        """

    def get_all(self, keys: Sequence[str], *, is_consistent: bool = False) -> dict[str, Item]:
        """The items of those keys that have an item which has not expired.

        More than MAX_KEYS keys raise ValueError. What another process has just stored may be
        missing, unless is_consistent, which costs twice as much.
        """

    def change(self, change: Change) -> Outcome:
        """Change one item if its guards hold; the outcome has what is stored then.

        Changes of one item happen one after the other, in every process. Whether the item has
        expired does not matter: choose an expiry after which nothing in it counts any more.
        """

    def close(self) -> None:
        """Close what is kept open between calls; the next call opens it again."""


def distinct_keys(keys: Sequence[str]) -> list[str]:
    """The keys, each once. Raises ValueError if they are more than MAX_KEYS."""
    found = list(dict.fromkeys(keys))
    if len(found) > MAX_KEYS:
        raise ValueError(f"expected at most {MAX_KEYS} keys, found {len(found)}")
    return found
