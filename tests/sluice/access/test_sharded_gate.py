"""A key whose counting is split over several items: as one key to its holder."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.errors import BudgetSpent, KeyNotAllowed, RateLimited
from sluice.access.gate import LEASE_SLACK_MS, Gate
from sluice.access.memory import MEMORY_MS
from sluice.access.records import Record, item_of
from sluice.access.shards import merged, shard_accounts
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.errors import StateUnavailable
from sluice.limit_values import Rate, RouteRates
from sluice.state.changes import Change
from tests.sluice.access.gate_world import ANSWER_S, CHAT, PRICES, World, passed, refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sluice.state.item import Item

SHARDS = 3
RECORD = Record("team", token="0" * 64, shards=SHARDS, rpm_limit=10)


class ShardedWorld(World):
    """A store with a key in several items."""

    def sharded(self, record: Record = RECORD) -> Principal:
        for account in shard_accounts(record.key, SHARDS):
            self.store.store.change(Change(account, None, put=item_of(record)))
        return Principal(record.key_alias, record.key, has_record=True)

    def gate_that_picks(
        self, picks: Sequence[int] = range(SHARDS), limits: DeploymentLimits | None = None
    ) -> Gate:
        each, limits = cycle(picks), limits or DeploymentLimits()
        new_id, pick = (lambda: next(self.ids)), (lambda _count: next(each))
        return Gate(self.store, limits, lambda: PRICES, new_id, self.clock, pick=pick)

    def items(self) -> list[Item]:
        return [*self.store.store.get_all(shard_accounts(RECORD.key, SHARDS)).values()]


@pytest.fixture
def world(tmp_path: Path) -> ShardedWorld:
    return ShardedWorld(tmp_path / "state.db")


@pytest.mark.parametrize(
    ("picks", "limit"), [(range(SHARDS), 10), ([0], 10), ([2, 1], 10), ([2, 1], SHARDS - 1)]
)
@pytest.mark.parametrize(
    "strategy", ["fixed-window", "fixed-window-elastic-expiry", "moving-window"]
)
def test_exactly_the_limit_passes_whatever_shards_are_picked(
    world: ShardedWorld, picks: Sequence[int], limit: int, strategy: str
) -> None:
    principal = world.sharded(RECORD._replace(rpm_limit=None))
    limits = DeploymentLimits((RouteRates(CHAT, (Rate(limit, 60),)),), (), strategy)
    gates = [world.gate_that_picks(picks, limits) for _ in range(2)]
    for number in range(limit):
        passed(gates[number % 2].admit(principal, world.ask())).settle(Tokens(1, 0, 0))
    for gate in gates:
        error = refused(gate, principal, world.ask())
        assert isinstance(error, RateLimited)
        assert error.message.startswith(f"team has reached its limit of {limit} requests in 60 s")
        assert error.own_headers["x-ratelimit-limit-requests"] == str(limit)
        assert error.own_headers["x-ratelimit-remaining-requests"] == "0"
    world.now += int(error.headers["retry-after-ms"]) / 1000
    passed(gates[0].admit(principal, world.ask()))


def test_refused_key_is_refused_from_memory(world: ShardedWorld) -> None:
    principal, gate = world.sharded(), world.gate_that_picks()
    for _ in range(10):
        passed(gate.admit(principal, world.ask()))
    refused(gate, principal, world.ask())
    calls = len(world.store.calls)
    refused(gate, principal, world.ask())
    assert len(world.store.calls) == calls


def test_answer_says_what_is_left_of_the_whole_limit(world: ShardedWorld) -> None:
    principal, gate = world.sharded(RECORD._replace(tpm_limit=90_000)), world.gate_that_picks()
    left = [passed(gate.admit(principal, world.ask(tokens=100))).headers for _ in range(3)]
    assert [each["x-ratelimit-remaining-requests"] for each in left] == ["9", "8", "7"]
    assert [each["x-ratelimit-remaining-tokens"] for each in left] == ["89900", "89800", "89700"]
    assert [item["running"] for item in world.items()] == [1, 1, 1]  # each took one


def test_budget_is_split_and_spent_as_one(world: ShardedWorld) -> None:
    principal = world.sharded(RECORD._replace(rpm_limit=None, max_budget=10_000))
    gate = world.gate_that_picks([0])
    tickets = [passed(gate.admit(principal, world.ask(tokens=3000))) for _ in range(SHARDS)]
    error = refused(gate, principal, world.ask(tokens=3000))
    assert isinstance(error, BudgetSpent)
    assert "$0.009 of its budget of $0.01" in error.message
    for ticket in tickets:
        assert ticket.settle(Tokens(1000, 0, 0)) == 1000
    info = gate.info(principal, CHAT)
    assert (info["spend"], info["reserved"], info["running_requests"]) == (0.003, 0, 0)
    assert (info["max_budget"], info["shards"]) == (0.01, SHARDS)
    with pytest.raises(BudgetSpent):  # more than a shard's part, which is 3,334
        gate.admit(principal, world.ask(tokens=3500))


def test_claim_above_a_shards_part_of_the_tokens_is_refused(world: ShardedWorld) -> None:
    principal = world.sharded(RECORD._replace(tpm_limit=3000))
    gate = world.gate_that_picks()
    error = refused(gate, principal, world.ask(tokens=1001))
    assert (error.code, error.headers) == ("rate_limit_exceeded", {"x-should-retry": "false"})
    for _ in range(SHARDS):
        passed(gate.admit(principal, world.ask(tokens=1000)))
    assert refused(gate, principal, world.ask(tokens=1000)).headers["retry-after"] == "40"


def test_function_that_died_is_settled_in_its_shard(world: ShardedWorld) -> None:
    principal = world.sharded(RECORD._replace(max_budget=9000))
    gate = world.gate_that_picks([1])
    passed(gate.admit(principal, world.ask(tokens=3000)))  # its function dies
    world.now += ANSWER_S + LEASE_SLACK_MS / 1000
    passed(gate.admit(principal, world.ask(tokens=0))).settle(Tokens(0, 0, 0))
    whole = merged(world.items())
    assert (whole["s life"], whole["b life"], whole["running"]) == (3000, 3000, 0)


def test_block_holds_at_once_in_every_shard(world: ShardedWorld) -> None:
    principal, gate = world.sharded(), world.gate_that_picks()
    for _ in range(SHARDS):
        passed(gate.admit(principal, world.ask()))
    world.sharded(RECORD._replace(blocked=True, revision=2))
    assert isinstance(refused(gate, principal, world.ask()), KeyNotAllowed)
    world.now += MEMORY_MS / 1000
    assert isinstance(refused(gate, principal, world.ask()), KeyNotAllowed)


def test_new_record_with_other_shards_is_found_out_by_the_claim(world: ShardedWorld) -> None:
    one = RECORD._replace(shards=1, rpm_limit=None, max_budget=9000)
    principal = world.write(one)
    gates = [world.gate_that_picks([0]) for _ in range(2)]
    for gate in gates:
        passed(gate.admit(principal, world.ask(tokens=0))).settle(Tokens(0, 0, 0))
    world.sharded(one._replace(shards=SHARDS, revision=2))
    assert isinstance(refused(gates[0], principal, world.ask(tokens=9000)), BudgetSpent)
    for _ in range(SHARDS):
        passed(gates[1].admit(principal, world.ask(tokens=3000)))
    assert isinstance(refused(gates[1], principal, world.ask(tokens=1)), BudgetSpent)


def test_shards_of_two_records_refuse_a_request_that_may_come_again(world: ShardedWorld) -> None:
    principal = world.sharded()
    other = item_of(RECORD._replace(shards=SHARDS - 1))
    world.store.store.change(Change(shard_accounts(RECORD.key, SHARDS)[1], None, put=other))
    error = refused(world.gate_that_picks([1]), principal, world.ask())
    assert isinstance(error, StateUnavailable)
    assert error.message == "The record was replaced meanwhile. Try again."
