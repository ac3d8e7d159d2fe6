"""A store with a clock and gates on it, for tests of what passes and what is counted."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from sluice.access.daily_usage import usage_key, usage_of
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Ask, Gate
from sluice.access.prices import PriceList
from sluice.access.records import Record, item_of
from sluice.access.ticket import Ticket
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.errors import SluiceError, StateUnavailable
from sluice.limit_values import Rate, RouteRates
from sluice.state.changes import Change, Outcome
from sluice.state.sqlite import SqliteState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sluice.state.item import Item
    from sluice.state.store import StateStore

CHAT = "/v1/chat/completions"
BEGIN = 1_700_000_000.0
ANSWER_S = 900.0
PRICES = PriceList('{"servers": {}}', {"gpt": (1000, 500, 2000)})  # 1 and 2 micro-USD a token
RECORD = Record("team", token="0" * 64, max_budget=10_000, budget_duration="1d")
FORWARD_KEY = Principal("key-1", "key 1", has_record=False)
TWO_A_MINUTE = DeploymentLimits((RouteRates(CHAT, (Rate(2, 60),)),))


class CountingStore:
    """A store that counts its round trips."""

    def __init__(self, store: StateStore) -> None:
        self.store = store
        self.calls: list[str] = []
        self.changes_left: int | None = None
        """How many changes it makes before it fails."""

    def put(self, key: str, item: Item, expires_at: float) -> None:
        self.calls.append("put")
        self.store.put(key, item, expires_at)

    def get_all(self, keys: Sequence[str], *, is_consistent: bool = False) -> dict[str, Item]:
        self.calls.append("get_all")
        return self.store.get_all(keys, is_consistent=is_consistent)

    def close(self) -> None:
        self.store.close()

    def change(self, change: Change) -> Outcome:
        self.calls.append("change")
        if self.changes_left is not None:
            if not self.changes_left:
                raise StateUnavailable("The store is away.")
            self.changes_left -= 1
        return self.store.change(change)


class World:
    """One store with a clock, and gates that open it."""

    def __init__(self, file: Path) -> None:
        self.now = BEGIN
        self.store = CountingStore(SqliteState(str(file), self.clock))
        self.ids = map(str, count())

    def clock(self) -> float:
        return self.now

    def gate(self, limits: DeploymentLimits | None = None) -> Gate:
        limits = limits or DeploymentLimits()
        return Gate(self.store, limits, lambda: PRICES, lambda: next(self.ids), self.clock)

    def write(self, record: Record) -> Principal:
        self.store.store.change(Change(record.key, None, put=item_of(record)))
        return Principal(record.key_alias, record.key, has_record=True)

    def ask(self, model: str = "gpt", tokens: int = 1000) -> Ask:
        return Ask(CHAT, "https://api.openai.com/v1", model, Tokens(tokens, 0, 0), ANSWER_S)

    def usage(self, account: str) -> Mapping[str, int]:
        key = usage_key("2023-11-14", account, "gpt")
        counts = usage_of(key, self.store.get_all([key])[key]).counts
        return {name: number for name, number in counts.items() if number}


def passed(ticket: Ticket | None) -> Ticket:
    assert ticket is not None
    return ticket


def refused(gate: Gate, principal: Principal, ask: Ask) -> SluiceError:
    with pytest.raises(SluiceError) as caught:
        gate.admit(principal, ask)
    return caught.value
