"""The deployment's own limits: openai-forward's REQ_RATE_LIMIT, GLOBAL_RATE_LIMIT and strategies.

They hold for every principal apart, with a record or without. No I/O.
"""

from __future__ import annotations

from sluice.access.shards import WHOLE, Part
from sluice.access.windows import STRATEGIES, Window
from sluice.limit_values import Rate, RouteRates, route_of
from sluice.named_tuple import NamedTuple

RECORD_MINUTE_S = 60
GLOBAL = "*"
RECORD = "rpm"


class DeploymentLimits(NamedTuple):
    """routes: REQ_RATE_LIMIT. others: GLOBAL_RATE_LIMIT, for all paths of no route together."""

    routes: tuple[RouteRates, ...] = ()
    others: tuple[Rate, ...] = ()
    strategy: str = "fixed-window"

    def windows(
        self, path: str, rpm_limit: int | None = None, part: Part = WHOLE
    ) -> tuple[Window, ...]:
        """What counts a request to `path`, with a record's rpm_limit, in one shard or all."""
        make = STRATEGIES[self.strategy]
        name, rates = route_of(path, self.routes) or RouteRates(GLOBAL, self.others)
        own = () if rpm_limit is None else ((RECORD, Rate(rpm_limit, RECORD_MINUTE_S)),)
        counted = (*own, *((name, rate) for rate in rates))
        return tuple(
            make(name, rate._replace(amount=part.share(rate.amount) or 0)) for name, rate in counted
        )
