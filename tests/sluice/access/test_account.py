"""Admission and settlement on one item that many processes change: never too much, never twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sluice.access.account import (
    BUSY_RETRY_MS,
    MINUTE_MS,
    Bounds,
    Claim,
    Lease,
    Refusal,
    Used,
    admission,
    lease_of,
    leases,
    leases_over,
    refusal,
    settlement,
)
from sluice.access.windows import FixedWindow
from sluice.limit_values import Rate
from sluice.state.changes import Change, outcome_of

if TYPE_CHECKING:
    from sluice.state.item import Item

KEY = "key abc"
NOW = 1_700_000_000_000
ANSWER_MS = 900_000
BUDGET = Bounds(max_budget=1000, budget_duration="1d")


def claim(number: int = 0, tokens: int = 0, cost: int = 0, now: int = NOW) -> Claim:
    return Claim(f"request-{number}", "gpt", tokens, cost, now + ANSWER_MS)


def admitted(bounds: Bounds, item: Item, *claims: Claim, now: int = NOW) -> Item:
    for each in claims:
        assert refusal(bounds, each, item, now) is None
        outcome = outcome_of(admission(bounds, each, KEY, item, now), item)
        assert outcome.was_applied
        item = outcome.item
    return item


@pytest.mark.parametrize(
    ("bounds", "fits", "refused"),
    [
        (
            Bounds(windows=(FixedWindow("rpm", Rate(1, 60)),)),
            claim(1),
            Refusal("requests", 1, 1, NOW - NOW % MINUTE_MS + MINUTE_MS, 60),
        ),
        (
            Bounds(tpm_limit=100),
            claim(1, tokens=60),
            Refusal("tokens", 100, 60, NOW - NOW % MINUTE_MS + MINUTE_MS),
        ),
        (Bounds(max_parallel_requests=1), claim(1), Refusal("parallel", 1, 1, NOW + BUSY_RETRY_MS)),
        (BUDGET, claim(1, cost=600), Refusal("budget", 1000, 600, None)),
    ],
    ids=["requests", "tokens", "parallel", "budget"],
)
def test_second_request_does_not_fit(bounds: Bounds, fits: Claim, refused: Refusal) -> None:
    item = admitted(bounds, {}, fits)
    another = fits._replace(id="another")
    assert refusal(bounds, another, item, NOW) == refused
    late = admission(bounds, another, KEY, {}, NOW)  # by a process that has seen nothing yet
    assert outcome_of(late, item) == (False, item)


def test_longest_reason_is_the_one_that_is_told() -> None:
    bounds = Bounds(
        windows=(FixedWindow("a", Rate(1, 60)), FixedWindow("b", Rate(1, 3600))),
        max_parallel_requests=1,
    )
    item = admitted(bounds, {}, claim(1))
    found = refusal(bounds, claim(2), item, NOW)
    assert found is not None
    assert found.retry_at == NOW - NOW % 3_600_000 + 3_600_000
    found = refusal(bounds._replace(max_budget=0), claim(2, cost=1), item, NOW)
    assert found is not None
    assert found.kind == "budget"


def test_larger_request_than_the_limit_of_tokens_passes_alone() -> None:
    bounds = Bounds(tpm_limit=100)
    item = admitted(bounds, {}, claim(1, tokens=5000))
    assert refusal(bounds, claim(2, tokens=1), item, NOW)
    assert refusal(bounds, claim(2, tokens=5000), item, NOW + MINUTE_MS) is None


def test_settlement_frees_what_was_not_used() -> None:
    bounds = Bounds(tpm_limit=100, max_parallel_requests=1, max_budget=1000, budget_duration="1d")
    request = claim(1, tokens=100, cost=900)
    item = admitted(bounds, {}, request)
    change = settlement(bounds, KEY, lease_of(bounds, request, NOW), Used(30, 70), NOW + 5)
    settled = outcome_of(change, item)
    assert settled.was_applied
    assert leases(settled.item) == []
    assert refusal(bounds, claim(2, tokens=70, cost=930), settled.item, NOW) is None
    assert refusal(bounds, claim(2, tokens=71), settled.item, NOW)
    assert refusal(bounds, claim(2, cost=931), settled.item, NOW)
    assert outcome_of(change, settled.item) == (False, settled.item)  # once


def test_tokens_of_an_earlier_minute_stay_there() -> None:
    bounds = Bounds(tpm_limit=100)
    request = claim(1, tokens=100)
    item = admitted(bounds, {}, request)
    later = NOW + MINUTE_MS
    change = settlement(bounds, KEY, lease_of(bounds, request, NOW), Used(1000, 0), later)
    item = outcome_of(change, item).item
    assert item[f"t {NOW // MINUTE_MS}"] == 100
    assert refusal(bounds, claim(2, tokens=100), item, later) is None
    item = admitted(bounds, item, claim(2, tokens=100), now=later)
    item = admitted(bounds, item, claim(3, tokens=100), now=later + MINUTE_MS)
    assert len([name for name in item if name.startswith("t ")]) == 2


def test_windows_of_earlier_budgets_go_with_their_last_request() -> None:
    day = 86_400_000
    first, second, third = (claim(n, cost=1, now=NOW + n * day) for n in range(3))
    item = admitted(BUDGET, {}, first)
    late = settlement(BUDGET, KEY, lease_of(BUDGET, first, NOW), Used(0, 1), NOW + day)
    item = admitted(BUDGET, item, second, now=NOW + day)
    assert len([name for name in item if name.startswith("b ")]) == 2
    item = outcome_of(late, item).item
    assert [item[name] for name in item if name.startswith("s ")] == [1]
    item = admitted(BUDGET, item, third, now=NOW + day)
    assert len([name for name in item if name.startswith(("b ", "s "))]) == 1


def test_spend_is_counted_without_a_budget() -> None:
    request = claim(1, cost=5)
    item = admitted(Bounds(), {}, request)
    change = settlement(Bounds(), KEY, lease_of(Bounds(), request, NOW), Used(1, 7), NOW)
    item = outcome_of(change, item).item
    assert item["s life"] == 7
    assert not any(name.startswith("t ") for name in item)  # tokens count for their limit alone


def test_change_by_an_administrator_makes_a_decision_invalid() -> None:
    bounds = Bounds(revision=3)
    assert outcome_of(admission(bounds, claim(), KEY, {}, NOW), {"revision": 3}).was_applied
    for item in ({"revision": 4}, {}):
        assert not outcome_of(admission(bounds, claim(), KEY, {}, NOW), item).was_applied


def test_item_is_kept_as_long_as_something_in_it_counts() -> None:
    year = Rate(9, 360 * 86_400)
    for window in (FixedWindow("rpm", Rate(1, 60)), FixedWindow("rpm", year)):
        change = admission(Bounds(windows=(window,)), claim(), KEY, {}, NOW)
        assert change.expires_at
        assert change.expires_at > NOW / 1000 + window.rate.seconds + ANSWER_MS / 1000
    assert admission(Bounds(revision=1), claim(), KEY, {}, NOW).expires_at is None


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_requests_at_once_never_pass_a_budget(costs: list[int]) -> None:
    """All have seen the empty item, and each looks once more after it lost."""
    item: Item = {}
    passed = 0
    for number, cost in enumerate(costs):
        request = claim(number, cost=cost)
        outcome = outcome_of(admission(BUDGET, request, KEY, {}, NOW), item)
        assert outcome.was_applied == (refusal(BUDGET, request, item, NOW) is None)
        item = outcome.item
        passed += cost * outcome.was_applied
    assert passed <= 1000


class Accounts(RuleBasedStateMachine):
    """Requests that end, or whose function dies, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.item: Item = {}
        self.now = NOW
        self.number = 0
        self.running: list[Lease] = []
        self.spent = 0

    def change(self, change: Change) -> bool:
        outcome = outcome_of(change, self.item)
        self.item = outcome.item
        return outcome.was_applied

    @rule(cost=st.integers(0, 500), pause=st.integers(0, 200_000))
    def begin(self, cost: int, pause: int) -> None:
        self.now += pause
        self.number += 1
        request = claim(self.number, cost=cost, now=self.now)
        if self.change(admission(BUDGET, request, KEY, {}, self.now)):
            self.running.append(lease_of(BUDGET, request, self.now))

    @rule(data=st.data(), share=st.floats(0, 1))
    def end(self, data: st.DataObject, share: float) -> None:
        if self.running:
            lease = data.draw(st.sampled_from(self.running))
            self.running.remove(lease)
            used = Used(0, int(lease.cost * share))
            change = settlement(BUDGET, KEY, lease, used, self.now)
            if self.change(change):
                self.spent += used.cost
            assert not self.change(change)

    @rule()
    def settle_the_dead(self) -> None:
        for lease in leases_over(self.item, self.now):
            self.spent += lease.cost
            assert self.change(settlement(BUDGET, KEY, lease, Used(0, lease.cost), self.now))

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.spent == sum(self.sums("s "))
        claimed = sum(lease.cost for lease in leases(self.item))
        assert sum(self.sums("b ")) == self.spent + claimed
        assert all(amount <= 1000 for amount in self.sums("b "))
        assert self.item.get("running", 0) == len(leases(self.item))

    def sums(self, prefix: str) -> list[int]:
        return [int(n) for name, n in self.item.items() if name.startswith(prefix)]


TestAccounts = Accounts.TestCase


def test_lease_says_what_its_settlement_needs() -> None:
    request = claim(1, tokens=5, cost=7)
    item = admitted(Bounds(tpm_limit=100, max_budget=1000), {}, request)
    assert leases(item) == [lease_of(Bounds(tpm_limit=100, max_budget=1000), request, NOW)]
    assert "key" not in json.dumps(list(item.values()))
    assert leases_over(item, NOW + ANSWER_MS - 1) == []
    assert leases_over(item, NOW + ANSWER_MS) == leases(item)
