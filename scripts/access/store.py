"""What the tools need of a state store. sqlite.py and dynamodb.py have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sluice.state.changes import Change
from sluice.state.item import Item
from sluice.state.store import MAX_KEYS


class ToolStore(Protocol):
    """Items under keys, without those that have expired. Reads see what was written before.

    Every method raises ToolError.
    """

    def items(self, prefix: str) -> Mapping[str, Item]:
        """All items whose keys begin with `prefix`, in the order of their keys."""

    def get_all(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """The items of those keys that have one; at most MAX_KEYS keys."""

    def change_all(self, changes: Sequence[Change]) -> bool:
        """Change several items, each another one, if all guards of all hold; otherwise none.

        At most 100: DynamoDB's limit.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """


def read_all(store: ToolStore, keys: Iterable[str]) -> dict[str, Item]:
    """As `get_all`, for any number of keys."""
    names = list(keys)
    found: dict[str, Item] = {}
    for start in range(0, len(names), MAX_KEYS):
        found |= store.get_all(names[start : start + MAX_KEYS])
    return found
