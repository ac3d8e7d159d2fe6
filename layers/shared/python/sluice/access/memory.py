"""What an execution environment has last seen of principals' items."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.state.item import Item
    from sluice.state.store import StateStore

MEMORY_MS = 30_000
"""How long an environment relies on what it has seen: a block takes effect within this time."""
MAX_REMEMBERED = 1000
"""Principals in memory: some 2 KB each."""


class Memory:
    """Items by account, {} for an unknown one. Any thread may call any method. now: Unix ms."""

    def __init__(self, store: StateStore, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._seen: dict[str, tuple[Item, int]] = {}

    def item(self, account: str) -> Item:
        return self._seen.get(account, ({}, 0))[0]

    def is_old(self, account: str) -> bool:
        return self._seen.get(account, ({}, 0))[1] + MEMORY_MS <= self._now()

    def read(self, account: str) -> Item:
        """The item as it is stored now. Raises StateUnavailable."""
        item = self._store.get_all([account]).get(account, {})
        self.remember(account, item)
        return item

    def remember(self, account: str, item: Item) -> None:
        if len(self._seen) >= MAX_REMEMBERED:
            self.forget()
        self._seen[account] = (item, self._now())

    def forget(self) -> None:
        self._seen = {}  # replaced: another thread may be reading it
