"""The parts of limits, and what shards count together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.access.account import Refusal
from sluice.access.shards import WHOLE, Part, merged, merged_refusal, shard_accounts
from sluice.access.windows import STRATEGIES
from sluice.limit_values import Rate
from sluice.state.changes import Change, outcome_of
from sluice.state.item import Item

NOW = 1_700_000_000_000


@given(limit=st.integers(0, 10**12), shards=st.integers(1, 20))
def test_parts_of_a_limit_add_up_to_it(limit: int, shards: int) -> None:
    parts = [Part(number, shards).share(limit) or 0 for number in range(shards)]
    assert sum(parts) == limit
    assert max(parts) - min(parts) <= 1


def test_part_of_no_limit_is_no_limit() -> None:
    assert Part(1, 3).share(None) is None
    assert [part.is_whole for part in (WHOLE, Part(None, 3), Part(0, 3))] == [True, True, False]


def test_first_shard_is_the_account_itself() -> None:
    assert shard_accounts("key 0", 1) == ["key 0"]
    assert shard_accounts("key 0", 3) == ["key 0", "key 0 1", "key 0 2"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_requests_of_all_shards_count_together(strategy: str) -> None:
    window = STRATEGIES[strategy]("rpm", Rate(9, 60))
    for order in ((0, 1, 1, 2, 0), (0, 0, 1, 1, 2)):  # the last request is in the first or last one
        items: list[Item] = [{}, {}, {}]
        for at, shard in enumerate(order):
            step = window.step(items[shard], NOW + at)
            change = Change("key", None, step.guards, step.add, step.put, step.remove)
            items[shard] = outcome_of(change, items[shard]).item
        count = window.count(merged(items), NOW + 4)
        assert count.used == 5
        assert count.reset_at == max(window.count(item, NOW + 4).reset_at for item in items)


def test_counters_are_added_and_the_record_is_kept() -> None:
    record: Item = {"key_alias": "team", "rpm_limit": 5, "revision": 2}
    one: Item = {**record, "running": 1, "s life": 3, "b life": 4, "t 7": 5, "l a": "[1]"}
    other: Item = {**record, "running": 2, "s life": 1, "b life": 1, "l b": "[2]"}
    assert merged([one, {}, other]) == {
        **record, "running": 3, "s life": 4, "b life": 5, "t 7": 5, "l a": "[1]", "l b": "[2]"
    }  # fmt: skip


def test_refusal_of_all_shards_ends_with_the_first() -> None:
    refusals = [
        Refusal("budget", 50, 49, None),
        Refusal("tokens", 5, 4, NOW + 9),
        Refusal("requests", 3, 3, NOW + 5),
        Refusal("requests", 2, 2, NOW + 7),
    ]
    assert merged_refusal(refusals) == Refusal("requests", 5, 5, NOW + 5)
    assert merged_refusal(refusals[:1]) == refusals[0]
