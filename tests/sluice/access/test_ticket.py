from __future__ import annotations

from pathlib import Path

from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Ask, Gate
from sluice.access.prices import PriceList
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.limit_values import Rate, RouteRates
from sluice.state.sqlite import SqliteState


def test_only_requests_that_a_model_works_on_lack_a_price(tmp_path: Path) -> None:
    store = SqliteState(str(tmp_path / "state.db"), lambda: 1_700_000_000.0)
    limits = DeploymentLimits((RouteRates("/v1/models", (Rate(2, 60),)),))
    prices = PriceList('{"servers": {}}', {})
    gate = Gate(store, limits, lambda: prices, iter("ab").__next__, lambda: 1_700_000_000.0)
    for is_free, cost in ((True, 0), (False, None)):
        ask = Ask("/v1/models", "https://x", "", Tokens(0, 0, 0), 60.0, is_free)
        ticket = gate.admit(Principal("key-1", "key 1", has_record=False), ask)
        assert ticket is not None
        assert ticket.settle(Tokens(0, 0, 0)) == cost
