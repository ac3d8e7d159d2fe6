"""What a ticket counts for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.access.daily_usage import usage_key
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import LEASE_SLACK_MS
from sluice.access.usage import Tokens
from sluice.limit_values import Rate, RouteRates
from tests.sluice.access.gate_world import (
    ANSWER_S,
    FORWARD_KEY,
    RECORD,
    TWO_A_MINUTE,
    World,
    passed,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_only_requests_that_a_model_works_on_lack_a_price(tmp_path: Path) -> None:
    world = World(tmp_path / "state.db")
    gate = world.gate(DeploymentLimits((RouteRates("/v1/models", (Rate(2, 60),)),)))
    for is_free, cost in ((True, 0), (False, None)):
        ask = world.ask("")._replace(path="/v1/models", is_free=is_free)
        ticket = passed(gate.admit(FORWARD_KEY, ask))
        assert ticket.settle(Tokens(0, 0, 0)) == cost


def test_each_model_has_an_item_and_its_name_is_cut(tmp_path: Path) -> None:
    world = World(tmp_path / "state.db")
    gate = world.gate(TWO_A_MINUTE)
    for model in ("gpt", "x" * 10_000):
        passed(gate.admit(FORWARD_KEY, world.ask(model))).settle(Tokens(1, 0, 1))
    keys = [usage_key("2023-11-14", FORWARD_KEY.account, model) for model in ("gpt", "x" * 100)]
    assert [item["requests"] for item in world.store.get_all(keys).values()] == [1, 1]


def test_answer_that_outlives_its_lease_is_counted_once(tmp_path: Path) -> None:
    world = World(tmp_path / "state.db")
    principal, gate = world.write(RECORD), world.gate()
    for others, counted in ((0, 1), (1, 3)):
        late = passed(gate.admit(principal, world.ask(tokens=100)))
        world.now += ANSWER_S + LEASE_SLACK_MS / 1000
        for _ in range(others):  # they find the lease, and settle it
            passed(gate.admit(principal, world.ask(tokens=100))).settle(Tokens(100, 0, 0))
        late.settle(Tokens(100, 0, 0))
        assert world.usage(principal.account)["requests"] == counted
