"""Settles what requests have used: those that a gate let through, and those whose function died."""

from __future__ import annotations

import json

from sluice.access.account import Bounds, Claim, Used, lease_of, leases_over, settlement
from sluice.access.daily_usage import RequestUsage, usage_change
from sluice.access.usage import Savings, Tokens
from sluice.errors import StateUnavailable
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.access.account import Lease
    from sluice.access.prices import Price
    from sluice.authentication import Principal
    from sluice.state.changes import Change
    from sluice.state.item import Item
    from sluice.state.store import StateStore

MAX_CHARGED = 100
"""Most requests of dead functions that another request settles: two round trips each, a second in
all. The next one goes on."""


class Case(NamedTuple):
    """One look at a request: what limits it and what it claims, as of `now`."""

    now: int
    bounds: Bounds
    claim: Claim


class Ticket:
    """One request that was let through.

    price: of the model that has answered, "" for the one asked. headers: what is left, for its
    reply.
    """

    def __init__(
        self,
        store: StateStore,
        clock: Callable[[], float],
        price: Callable[[str], Price | None],
        principal: Principal,
        case: Case,
        headers: dict[str, str],
    ) -> None:
        self.headers = headers
        self.answered_by = ""
        """The model, once it is known to be another than the one asked."""
        self._store = store
        self._clock = clock
        self._price = price
        self._principal = principal
        self._case = case
        self._lease = lease_of(case.bounds, case.claim, case.now)
        self._is_settled = self._is_counted = False
        self._seen: Item = {}
        self.admitted_at = case.now
        """In Unix ms."""

    def replay(
        self, tokens: Tokens, savings: Savings | None = None, *, has_failed: bool = False
    ) -> dict[str, str | int]:
        """What `npm run usage -- --replay` needs to count the request later."""
        case, lease, cost = self._case, self._lease, self._cost(tokens)
        is_missing_in_reports = self._is_settled and not self._is_counted
        return {
            "account": self._principal.account,
            "name": self._principal.name,
            "model": lease.model,
            "at": case.now,
            "lease": json.dumps(lease),
            "tokens": json.dumps(tokens),
            "failed": int(has_failed),
            "settled": int(is_missing_in_reports),
            **({} if cost is None else {"micro_usd": cost}),
            **({} if savings is None else {"saved": json.dumps(savings)}),
        }

    def settle(
        self, tokens: Tokens, savings: Savings | None = None, *, has_failed: bool = False
    ) -> int | None:
        """Count what the request has used, after its client has the last byte.

        savings: of an answer from the cache. Returns the cost in micro-USD, None for a model whose
        price is unknown. Nothing is counted twice. Raises StateUnavailable: then it may be called
        again.
        """
        case, principal, now = self._case, self._principal, self._clock()
        cost = self._cost(tokens)
        used = Used(tokens.total, cost or 0)
        if not self._is_settled:
            now_ms = int(now * 1000)
            change = settlement(case.bounds, principal.account, self._lease, used, now_ms)
            outcome = self._store.change(change)
            # Without its lease: the reply to an earlier attempt was lost, or the lease is over, and
            # another request has settled it.
            self._is_settled = True
            self._seen = outcome.item
            if not outcome.was_applied and now_ms >= self._lease.until:
                return cost
        if not self._is_counted:
            self._count(RequestUsage(tokens, cost, savings, has_failed), now)
            self._is_counted = True
        settle_dead(self._store, principal, case._replace(now=int(now * 1000)), self._seen)
        return cost

    def _count(self, used: RequestUsage, now: float) -> None:
        """For reports: rather not at all than twice."""
        account, name = self._principal.account, self._principal.name
        try:
            self._store.change(usage_change(account, name, self._lease.model, used, now))
        except StateUnavailable as error:
            if not error.may_be_done:
                raise

    def _cost(self, tokens: Tokens) -> int | None:
        price = self._price(self.answered_by)
        return None if price is None else price.cost(tokens)


def settle_dead(store: StateStore, principal: Principal, case: Case, item: Item) -> bool:
    """Settle, at what they had claimed, requests whose functions have died. Whether any had.

    item: what was last seen of the principal's. Raises StateUnavailable.
    """
    dead = leases_over(item, case.now)[:MAX_CHARGED]
    for lease in dead:
        account, name, now = principal.account, principal.name, case.now
        settled, counted = charge(account, name, case.bounds, lease, now)
        if store.change(settled).was_applied:
            store.change(counted)
    return bool(dead)


def charge(
    account: str, name: str, bounds: Bounds, lease: Lease, now: int
) -> tuple[Change, Change]:
    """Settles a request whose function has died, at what it had claimed, and counts it."""
    settled = settlement(bounds, account, lease, Used(lease.tokens, lease.cost), now)
    tokens = Tokens(lease.tokens, 0, 0, is_estimated=True)
    used = RequestUsage(tokens, lease.cost, has_failed=True)
    return settled, usage_change(account, name, lease.model, used, now / 1000)
