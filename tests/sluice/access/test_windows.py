"""The three strategies: never one request more than the rate, however many processes count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.access.windows import LATE_MS, MAX_STAMPS, STRATEGIES, Window
from sluice.limit_values import Rate
from sluice.state.changes import Change, outcome_of

if TYPE_CHECKING:
    from sluice.state.item import Item

NOW = 1_700_000_000_000


class SharedItem:
    """The stored item, and what each of several processes last saw of it."""

    def __init__(self, window: Window, processes: int = 1) -> None:
        self.window = window
        self.item: Item = {}
        self.seen: list[Item] = [{} for _ in range(processes)]
        self.admitted: list[int] = []

    def request(self, now: int, process: int = 0) -> bool:
        """One process claims by what it saw, and again by what it sees, until that is full."""
        while True:
            step = self.window.step(self.seen[process], now)
            change = Change("key", None, step.guards, step.add, step.put, step.remove)
            outcome = outcome_of(change, self.item)
            self.item = self.seen[process] = outcome.item
            if outcome.was_applied:
                self.admitted.append(now)
                return True
            if self.window.count(self.item, now).used >= self.window.rate.amount:
                return False


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    amount=st.integers(1, 5),
    seconds=st.integers(1, 3),
    requests=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 2)), max_size=60),
)
def test_no_window_gets_more_than_its_rate(
    strategy: str, amount: int, seconds: int, requests: list[tuple[int, int]]
) -> None:
    shared = SharedItem(STRATEGIES[strategy]("rpm", Rate(amount, seconds)), processes=3)
    now = NOW
    for pause, process in requests:
        now += pause
        shared.request(now, process)
    length = seconds * 1000
    for moment in shared.admitted:
        start = moment - moment % length if strategy == "fixed-window" else moment
        within = [each for each in shared.admitted if start <= each < start + length]
        assert len(within) <= amount


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    amount=st.integers(1, 4),
    pauses=st.lists(st.integers(0, 1500), max_size=30),
)
def test_request_passes_at_the_moment_that_a_refusal_names_and_not_before(
    strategy: str, amount: int, pauses: list[int]
) -> None:
    shared = SharedItem(STRATEGIES[strategy]("rpm", Rate(amount, 2)))
    now = NOW
    for pause in pauses:
        now += pause
        if not shared.request(now):
            free_at = shared.window.count(shared.item, now).free_at
            assert now < free_at <= now + 2000
            assert not shared.request(free_at - 1)
            now = free_at
            assert shared.request(now)


def test_each_strategy_counts_its_own_way() -> None:
    """Three requests in 10 s, at 0, 3 and 6 s of a fixed window: when does the next one fit?"""
    start = NOW - NOW % 10_000
    counts = {}
    for name, strategy in STRATEGIES.items():
        shared = SharedItem(strategy("rpm", Rate(3, 10)))
        assert all(shared.request(start + after) for after in (0, 3000, 6000))
        counts[name] = shared.window.count(shared.item, start + 6000)
    assert counts == {
        "fixed-window": (3, start + 10_000, start + 10_000),
        "fixed-window-elastic-expiry": (3, start + 16_000, start + 16_000),
        "moving-window": (3, start + 10_000, start + 16_000),
    }


def test_moving_window_frees_one_place_at_a_time() -> None:
    shared = SharedItem(STRATEGIES["moving-window"]("rpm", Rate(2, 10)))
    assert shared.request(NOW)
    assert shared.request(NOW + 6000)
    assert shared.request(NOW + 10_000)
    assert not shared.request(NOW + 15_999)
    assert shared.request(NOW + 16_000)


def test_fixed_window_removes_the_counters_of_much_earlier_ones() -> None:
    shared = SharedItem(STRATEGIES["fixed-window"]("rpm", Rate(2, 10)))
    for number in range(50):
        assert shared.request(NOW + number * 10_000)
    assert len(shared.item) == LATE_MS // 10_000 + 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_late_request_finds_the_window_of_its_moment_full(strategy: str) -> None:
    shared = SharedItem(STRATEGIES[strategy]("rpm", Rate(1, 1)), processes=2)
    assert shared.request(NOW, 0)
    assert shared.request(NOW + 2000, 0)
    assert not shared.request(NOW, 1)


def test_large_moving_window_stays_small_and_exact() -> None:
    rate = Rate(2 * MAX_STAMPS, 60)
    shared = SharedItem(STRATEGIES["moving-window"]("rpm", rate))
    moments = range(NOW, NOW + 60_000, 20)
    admitted = [moment for moment in moments if shared.request(moment)]
    assert admitted == list(moments[: rate.amount])
    assert sum(map(len, map(str, shared.item.values()))) < 6 * MAX_STAMPS
    assert not shared.request(NOW + 60_000 - 1)
    assert shared.request(NOW + 60_000 + 60)


@pytest.mark.parametrize("strategy", ["fixed-window-elastic-expiry", "moving-window"])
def test_clock_that_lags_ends_nothing_early(strategy: str) -> None:
    shared = SharedItem(STRATEGIES[strategy]("rpm", Rate(2, 10)), processes=2)
    assert shared.request(NOW + 5000, 0)
    assert shared.request(NOW, 1)
    assert not shared.request(NOW + 14_999, 1)
