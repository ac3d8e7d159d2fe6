"""Lets requests through or refuses them: one round trip to the store before, and one after."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from functools import partial

from sluice.access.account import (
    Bounds,
    Claim,
    admission,
    has_lease,
    refusal,
)
from sluice.access.errors import KeyNotAllowed, ModelNotAllowed, ModelWithoutPrice
from sluice.access.records import record_of
from sluice.access.refusals import limit_headers, refusal_error
from sluice.access.ticket import Case, Ticket, settle_dead
from sluice.errors import PromptTemplateNotAllowed, SluiceError, StateUnavailable
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sluice.access.deployment_limits import DeploymentLimits
    from sluice.access.prices import Price, PriceList
    from sluice.access.records import Record
    from sluice.access.usage import Tokens
    from sluice.authentication import Meanwhile, Principal
    from sluice.state.item import Item
    from sluice.state.store import StateStore

MEMORY_MS = 30_000
"""How long an environment relies on what it has seen: a block takes effect within this time."""
MAX_REMEMBERED = 1000
"""Principals in memory: some 2 KB each."""
MAX_CONTENTION_MS = 1000
"""For admission, lost races included."""
MAX_QUOTED = 100
"""Characters of a client's text in an error."""
LEASE_SLACK_MS = 60_000
"""How much longer than its answer a lease lasts: for settlement, and for clocks that differ."""


class Ask(NamedTuple):
    """What a request needs.

    path: as clients write it. model: by the name it is asked for; empty for none. tokens, lasts_s:
    at most, in seconds. is_free: whether it makes no model work.
    """

    path: str
    base_url: str
    model: str
    tokens: Tokens
    lasts_s: float
    is_free: bool = False
    prompt_template: str | None = None


class Gate:
    """Counts requests against records and limits. Any thread may call any method.

    prices: opened at its first use. new_id: of a request. clock: Unix time. max_contention_ms: for
    one admission, lost races included.
    """

    def __init__(
        self,
        store: StateStore,
        limits: DeploymentLimits,
        prices: Callable[[], PriceList],
        new_id: Callable[[], str],
        clock: Callable[[], float] = time.time,
        max_contention_ms: int = MAX_CONTENTION_MS,
    ) -> None:
        self._store = store
        self._max_contention_ms = max_contention_ms
        self._limits = limits
        self._prices = prices
        self._new_id = new_id
        self._clock = clock
        self._seen: dict[str, tuple[Item, int]] = {}

    def usable_record(self, account: str, meanwhile: Meanwhile | None = None) -> Record:
        """The record of an account, at most MEMORY_MS old.

        Raises KeyNotAllowed, StateUnavailable.
        """
        item, seen_at = self._seen.get(account, ({}, 0))
        if seen_at + MEMORY_MS <= self._now():
            if meanwhile is not None:
                old = record_of(item)
                meanwhile(old and old.key_alias)
            item = self._store.get_all([account]).get(account, {})
            self._remember(account, item)
        return checked_record(record_of(item), self._now())

    def info(self, principal: Principal, path: str) -> dict[str, Any]:
        """What the principal may know of itself, as of now. Raises StateUnavailable."""
        from sluice.access.key_info import key_info  # noqa: PLC0415 -- rarely asked for

        item = self._store.get_all([principal.account]).get(principal.account, {})
        record = record_of(item)
        return key_info(principal, record, self._bounds(record, path), item, self._now())

    def admit(
        self, principal: Principal, ask: Ask, meanwhile: Meanwhile | None = None
    ) -> Ticket | None:
        """Let a request through. None: nothing limits it.

        meanwhile: not called for a request that seems to be refused.
        Raises KeyNotAllowed, ModelNotAllowed, ModelWithoutPrice, RateLimited, BudgetSpent,
        StateUnavailable.
        """
        began = self._now()
        item, is_fresh = self._known(principal, meanwhile), False
        while True:
            case = self._case(principal, ask, item)
            if case.bounds == Bounds():
                return None
            # Requests in a window only grow in number. All else may have been given back.
            refused = refusal(case.bounds, case.claim, item, case.now)
            if refused is not None and refused.kind == "requests":
                raise refusal_error(refused, principal.name, case.bounds, item, case.now)
            if (
                refused is not None
                and is_fresh
                and not settle_dead(self._store, principal, case, item)
            ):
                raise refusal_error(refused, principal.name, case.bounds, item, case.now)
            if case.now - began > self._max_contention_ms:
                raise StateUnavailable("Too many requests of one principal came at once.")
            if refused is None and meanwhile is not None:
                meanwhile(principal.name)
            change = admission(case.bounds, case.claim, principal.account, item, case.now)
            outcome = self._store.change(change)
            item, is_fresh = outcome.item, True
            self._remember(principal.account, item)
            if outcome.was_applied or has_lease(item, case.claim):
                prices = partial(self._price, ask)
                headers = limit_headers(case.bounds, item, case.now)
                return Ticket(self._store, self._clock, prices, principal, case, headers)

    def _known(self, principal: Principal, meanwhile: Meanwhile | None) -> Item:
        """What was last seen of the principal's item; read now where a record must be there."""
        if principal.has_record:
            self.usable_record(principal.account, meanwhile)
        return self._seen.get(principal.account, ({}, 0))[0]

    def _case(self, principal: Principal, ask: Ask, item: Item) -> Case:
        now = self._now()
        record = checked_record(record_of(item), now) if principal.has_record else None
        bounds = self._bounds(record, ask.path)
        try:
            if record is not None:
                check_allowed(record, ask)
            cost = 0 if bounds.max_budget is None else self._cost(principal, ask)
        except SluiceError as error:
            error.limits = limit_headers(bounds, item, now)
            raise
        ends_at = now + int(ask.lasts_s * 1000) + LEASE_SLACK_MS
        claim = Claim(self._new_id(), ask.model, ask.tokens.total, cost, ends_at)
        return Case(now, bounds, claim)

    def _cost(self, principal: Principal, ask: Ask) -> int:
        if ask.is_free:
            return 0
        price = self._price(ask)
        if price is None:
            model = ask.model[:MAX_QUOTED] or "a request without a model"
            raise ModelWithoutPrice(
                f"{principal.name} has a budget, and the price of {model} is unknown. "
                "Ask for another model, or have its price added to MODEL_PRICES."
            )
        return price.cost(ask.tokens)

    def _price(self, ask: Ask) -> Price | None:
        return self._prices().find(ask.base_url, ask.model)

    def _bounds(self, record: Record | None, path: str) -> Bounds:
        if record is None:
            return Bounds(self._limits.windows(path))
        return Bounds(
            self._limits.windows(path, record.rpm_limit),
            record.tpm_limit,
            record.max_parallel_requests,
            record.max_budget,
            record.budget_duration,
            record.revision,
        )

    def _remember(self, account: str, item: Item) -> None:
        if len(self._seen) >= MAX_REMEMBERED:
            self._seen = {}  # replaced: another thread may be reading it
        self._seen[account] = (item, self._now())

    def _now(self) -> int:
        return int(self._clock() * 1000)


def checked_record(record: Record | None, now: int) -> Record:
    """The record, if its key may be used at `now`, Unix ms. Raises KeyNotAllowed."""
    if record is None:
        raise KeyNotAllowed("A key of this gateway is required (got an unknown key).")
    if record.blocked:
        raise KeyNotAllowed(f"The key {record.key_alias} is blocked.")
    if record.expires is not None and record.expires * 1000 <= now:
        raise KeyNotAllowed(f"The key {record.key_alias} has expired.")
    return record


def check_allowed(record: Record, ask: Ask) -> None:
    """Raises ModelNotAllowed, PromptTemplateNotAllowed for what the record does not allow."""
    if record.models and not (ask.is_free or _matches(ask.model, record.models)):
        asked = f"the model {ask.model[:MAX_QUOTED]}" if ask.model else "requests without a model"
        message = f"The key {record.key_alias} does not allow {asked}."
        raise ModelNotAllowed(message, param="model")
    templates = record.prompt_templates
    if templates and ask.prompt_template and not _matches(ask.prompt_template, templates):
        message = f"The key {record.key_alias} does not allow this prompt template."
        raise PromptTemplateNotAllowed(message, param="prompt_template")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
