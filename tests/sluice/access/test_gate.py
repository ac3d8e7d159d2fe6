"""The gate on a SQLite file: what passes, what is refused, and what is counted in the end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sluice.access.errors import (
    BudgetSpent,
    KeyNotAllowed,
    ModelNotAllowed,
    ModelWithoutPrice,
    RateLimited,
)
from sluice.access.gate import LEASE_SLACK_MS
from sluice.access.memory import MEMORY_MS
from sluice.access.records import Record
from sluice.access.ticket import Ticket
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.errors import SluiceError, StateUnavailable
from sluice.state.changes import Change, Outcome
from tests.sluice.access.gate_world import (
    ANSWER_S,
    BEGIN,
    FORWARD_KEY,
    RECORD,
    TWO_A_MINUTE,
    CountingStore,
    World,
    passed,
    refused,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.state.store import StateStore


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state.db")


def test_nothing_is_asked_of_the_store_where_nothing_is_limited(world: World) -> None:
    assert world.gate().admit(FORWARD_KEY, world.ask()) is None
    assert world.store.calls == []


def test_request_costs_one_round_trip_before_and_one_after(world: World) -> None:
    gate = world.gate(TWO_A_MINUTE)
    for _ in range(2):
        passed(gate.admit(FORWARD_KEY, world.ask())).settle(Tokens(1, 0, 1))
    assert world.store.calls == ["change", "change", "change"] * 2  # the third counts for reports
    assert isinstance(refused(gate, FORWARD_KEY, world.ask()), RateLimited)
    assert len(world.store.calls) == 6  # refused from memory


def test_record_is_read_once_and_then_comes_with_each_round_trip(world: World) -> None:
    principal = world.write(RECORD)
    gate = world.gate()
    for _ in range(3):
        passed(gate.admit(principal, world.ask()))
        world.now += MEMORY_MS / 500
    assert world.store.calls == ["get_all", "change", "change", "change"]
    gate.usable_record(principal.account)  # for what is not claimed
    assert world.store.calls[-1] == "get_all"


def test_something_may_begin_before_each_round_trip_unless_a_refusal_is_likely(
    world: World,
) -> None:
    principal = world.write(RECORD._replace(rpm_limit=2))
    gate, calls = world.gate(), world.store.calls

    def begin(name: str | None) -> None:
        calls.append(f"meanwhile {name}")

    first = gate.admit(principal, world.ask(tokens=6000), begin)
    # Its record was read first, when nothing was known of it.
    assert calls == ["meanwhile None", "get_all", "meanwhile team", "change"]
    calls.clear()
    with pytest.raises(BudgetSpent):  # what was claimed may have been given back: it asks
        gate.admit(principal, world.ask(tokens=6000), begin)
    assert calls == ["change"]
    passed(first).settle(Tokens(1, 0, 0))
    passed(gate.admit(principal, world.ask(tokens=1), begin))
    calls.clear()
    with pytest.raises(RateLimited):
        gate.admit(principal, world.ask(tokens=1), begin)
    assert calls == []
    world.now += MEMORY_MS / 1000
    gate.usable_record(principal.account, begin)
    assert calls == ["meanwhile team", "get_all"]


def test_refusal_tells_what_is_left_and_when_to_come_back(world: World) -> None:
    gate = world.gate(TWO_A_MINUTE)
    first = passed(gate.admit(FORWARD_KEY, world.ask()))
    assert first.headers == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "40s",
    }
    world.now += 1.5
    passed(gate.admit(FORWARD_KEY, world.ask()))
    error = refused(gate, FORWARD_KEY, world.ask())
    assert error.message == "key-1 has reached its limit of 2 requests in 60 s. Try again in 39 s."
    assert (error.http_status, error.code) == (429, "rate_limit_exceeded")
    assert error.document()["type"] == "requests"
    assert error.headers == {"retry-after": "39", "retry-after-ms": "38500"}
    assert error.own_headers == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "38.5s",
    }
    world.now += 38.5
    passed(gate.admit(FORWARD_KEY, world.ask()))


def test_budget_is_spent_by_what_the_provider_counted(world: World) -> None:
    principal = world.write(RECORD)
    gate = world.gate()
    ticket = passed(gate.admit(principal, world.ask(tokens=9000)))
    error = refused(gate, principal, world.ask(tokens=2000))
    assert (error.http_status, error.code, error.headers) == (
        429,
        "insufficient_quota",
        {"x-should-retry": "false"},
    )
    assert error.message == (
        "team has used or reserved $0.009 of its budget of $0.01, and this request could cost more "
        "than is left. It begins anew at 2023-11-15 00:00 UTC."
    )
    assert ticket.settle(Tokens(3000, 1000, 250)) == 2000 + 500 + 500
    passed(gate.admit(principal, world.ask(tokens=7000)))
    assert isinstance(refused(gate, principal, world.ask(tokens=1)), BudgetSpent)
    assert world.usage(principal.account) == {
        "requests": 1,
        "input_tokens": 3000,
        "cached_tokens": 1000,
        "output_tokens": 250,
        "micro_usd": 3000,
    }


def test_function_that_died_is_charged_what_it_had_claimed(world: World) -> None:
    record = RECORD._replace(max_parallel_requests=1)
    principal = world.write(record)
    gate = world.gate()
    passed(gate.admit(principal, world.ask(tokens=6000)))
    assert isinstance(refused(gate, principal, world.ask(tokens=10)), RateLimited)
    world.now += ANSWER_S + LEASE_SLACK_MS / 1000
    passed(gate.admit(principal, world.ask(tokens=4000))).settle(Tokens(4000, 0, 0))
    assert isinstance(refused(world.gate(), principal, world.ask(tokens=1)), BudgetSpent)
    counted = world.usage(principal.account)
    assert counted["micro_usd"] == 10_000
    assert counted["failures"] == counted["estimated_requests"] == 1


def test_store_that_fails_after_the_count_counts_nothing_twice(world: World) -> None:
    principal = world.write(RECORD)
    gate = world.gate()
    passed(gate.admit(principal, world.ask(tokens=100)))  # its function dies
    world.now += ANSWER_S + LEASE_SLACK_MS / 1000
    ticket = passed(gate.admit(principal, world.ask(tokens=100)))
    world.store.changes_left = 2  # the settlement and the count
    with pytest.raises(StateUnavailable):
        ticket.settle(Tokens(100, 0, 0))
    world.store.changes_left = None
    ticket.settle(Tokens(100, 0, 0))
    counted = world.usage(principal.account)
    assert (counted["requests"], counted["failures"]) == (2, 1)
    assert counted["micro_usd"] == 200


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ({}, {"blocked": True}, KeyNotAllowed),
        ({}, {"models": ("o3",)}, ModelNotAllowed),
        ({}, {"max_budget": 1}, BudgetSpent),
        ({"blocked": True}, {}, None),
        ({"expires": int(BEGIN) + 1}, {"expires": int(BEGIN) + 1000}, None),
        ({"models": ("o3",)}, {"models": ("*",)}, None),
        ({"rpm_limit": 1}, {"rpm_limit": 2}, None),
    ],
)
def test_change_by_an_administrator_counts_however_long_ago_the_record_was_read(
    world: World, before: dict[str, Any], after: dict[str, Any], error: type[SluiceError] | None
) -> None:
    principal, gate = world.write(RECORD._replace(**before)), world.gate()
    with suppress(SluiceError):
        gate.admit(principal, world.ask())
    world.write(RECORD._replace(**after, revision=2))
    world.now += MEMORY_MS / 1000
    if error is None:
        passed(gate.admit(principal, world.ask()))
    else:
        assert isinstance(refused(gate, principal, world.ask()), error)


def test_change_by_an_administrator_holds_at_once(world: World) -> None:
    principal = world.write(RECORD)
    gate = world.gate()
    passed(gate.admit(principal, world.ask()))
    world.write(RECORD._replace(blocked=True, revision=2))
    error = refused(gate, principal, world.ask())
    assert isinstance(error, KeyNotAllowed)
    assert error.message == "The key team is blocked."


@pytest.mark.parametrize(
    ("record", "model", "error", "message"),
    [
        (RECORD._replace(expires=int(BEGIN)), "gpt", KeyNotAllowed, "team has expired"),
        (RECORD._replace(models=("gpt-*", "o3")), "gpt", ModelNotAllowed, "does not allow the mod"),
        (RECORD, "unknown", ModelWithoutPrice, "the price of unknown is unknown"),
    ],
)
def test_record_does_not_allow(
    world: World, record: Record, model: str, error: type[SluiceError], message: str
) -> None:
    found = refused(world.gate(), world.write(record), world.ask(model))
    assert isinstance(found, error)
    assert message in found.message
    assert found.headers == {"x-should-retry": "false"}


def test_record_allows(world: World) -> None:
    record = RECORD._replace(models=("gp*",), expires=int(BEGIN) + 1)
    passed(world.gate().admit(world.write(record), world.ask()))


def test_unknown_key_is_refused_and_remembered_for_half_a_minute(world: World) -> None:
    gate = world.gate()
    principal = Principal("key-2", RECORD.key, has_record=True)
    for _ in range(2):
        assert isinstance(refused(gate, principal, world.ask()), KeyNotAllowed)
    assert world.store.calls == ["get_all"]
    world.write(RECORD)
    world.now += MEMORY_MS / 1000
    passed(gate.admit(principal, world.ask()))


class RepeatingStore(CountingStore):
    """Makes each change again, as if the reply to the first attempt was lost."""

    def change(self, change: Change) -> Outcome:
        super().change(change)
        return super().change(change)


def test_claim_whose_reply_was_lost_is_made_once(world: World) -> None:
    team = world.write(RECORD._replace(max_parallel_requests=1))
    world.store = RepeatingStore(world.store.store)
    passed(world.gate().admit(team, world.ask()))
    with pytest.raises(RateLimited, match="at once"):
        world.gate().admit(team, world.ask())


class BusyStore(CountingStore):
    """Another request is always faster: each attempt takes 0.4 s in vain."""

    def __init__(self, world: World) -> None:
        super().__init__(world.store.store)
        self.world = world

    def change(self, change: Change) -> Outcome:
        self.calls.append("change")
        self.world.now += 0.4
        return Outcome(was_applied=False, item=self.store.get_all([change.key])[change.key])


def test_request_that_loses_every_race_is_refused_after_a_second(world: World) -> None:
    team = world.write(RECORD)
    world.store = BusyStore(world)
    with pytest.raises(StateUnavailable, match="Too many requests of one principal"):
        world.gate().admit(team, world.ask())
    assert world.store.calls == ["get_all", *["change"] * 3]


class LosingStore(CountingStore):
    """Its next changes of usage fail, after they have happened or before."""

    def __init__(self, store: StateStore, *losses: bool) -> None:
        super().__init__(store)
        self.losses = list(losses)

    def change(self, change: Change) -> Outcome:
        if not (change.key.startswith("usage ") and self.losses):
            return super().change(change)
        may_be_done = self.losses.pop()
        if may_be_done:
            super().change(change)
        raise StateUnavailable("No reply.", may_be_done=may_be_done)


@pytest.mark.parametrize("is_done", [True, False])
def test_usage_is_counted_once_if_a_reply_is_lost(world: World, *, is_done: bool) -> None:
    world.store = LosingStore(world.store.store, is_done)
    principal = world.write(RECORD)
    ticket = passed(world.gate().admit(principal, world.ask()))
    if not is_done:
        with pytest.raises(StateUnavailable):
            ticket.settle(Tokens(100, 0, 0))
        ticket.settle(Tokens(100, 0, 0))
    else:
        assert ticket.settle(Tokens(100, 0, 0)) == 100
    assert world.usage(principal.account) == {
        "requests": 1,
        "input_tokens": 100,
        "micro_usd": 100,
    }


def test_two_environments_share_one_limit(world: World) -> None:
    gates = [world.gate(TWO_A_MINUTE) for _ in range(3)]
    assert [isinstance(gate.admit(FORWARD_KEY, world.ask()), Ticket) for gate in gates[:2]]
    assert isinstance(refused(gates[2], FORWARD_KEY, world.ask()), RateLimited)
