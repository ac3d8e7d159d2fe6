"""Lets requests through or refuses them: one round trip to the store before, and one after."""

from __future__ import annotations

import os
import time
from fnmatch import fnmatchcase
from functools import partial

from sluice.access.account import (
    Bounds,
    Claim,
    Refusal,
    admission,
    has_lease,
    refusal,
)
from sluice.access.errors import KeyNotAllowed, ModelNotAllowed, ModelWithoutPrice
from sluice.access.memory import Memory
from sluice.access.records import record_of
from sluice.access.refusals import limit_headers, refusal_error
from sluice.access.shards import WHOLE, Part, merged, merged_refusal, shard_accounts
from sluice.access.ticket import Case, Ticket, settle_dead
from sluice.errors import PromptTemplateNotAllowed, StateUnavailable
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sluice.access.deployment_limits import DeploymentLimits
    from sluice.access.prices import Price, PriceList
    from sluice.access.records import Record
    from sluice.access.usage import Tokens
    from sluice.access.windows import Window
    from sluice.authentication import Meanwhile, Principal
    from sluice.state.item import Item
    from sluice.state.store import StateStore

NOT_ALLOWED = (ModelNotAllowed, ModelWithoutPrice, PromptTemplateNotAllowed)
"""Errors of usable keys: they say what is left, too."""
MAX_CONTENTION_MS = 1000
"""Maximum time of an admission, lost races included."""
MAX_CHARACTERS = 100
"""Maximum length of a client's text in errors and in the store, in characters."""
LEASE_SLACK_MS = 60_000
"""How much longer than its answer a lease lasts: for settlement, and for clocks that differ."""


class ShardsChangedError(Exception):
    """A record was deleted, and another one of the same account has other shards."""


class Ask(NamedTuple):
    """What a request needs.

    path: as clients write it. model: by the name it is asked for; empty for none. tokens, lasts_s:
    at most, in seconds. is_free: whether it makes no model work. fallbacks: models that may answer
    instead.
    """

    path: str
    base_url: str
    model: str
    tokens: Tokens
    lasts_s: float
    is_free: bool = False
    prompt_template: str | None = None
    fallbacks: tuple[str, ...] = ()


def random_index(count: int) -> int:
    """One of so many, without the module `random`, which is slow to import."""
    return int.from_bytes(os.urandom(4), "big") % count


class Gate:
    """Counts requests against records and limits. Any thread may call any method.

    prices: opened at its first use. new_id: of a request. clock: Unix time. max_contention_ms: for
    one admission, lost races included. pick: the shard that a request tries first, of so many.
    """

    def __init__(
        self,
        store: StateStore,
        limits: DeploymentLimits,
        prices: Callable[[], PriceList],
        new_id: Callable[[], str],
        clock: Callable[[], float] = time.time,
        max_contention_ms: int = MAX_CONTENTION_MS,
        pick: Callable[[int], int] = random_index,
    ) -> None:
        self._store = store
        self._max_contention_ms = max_contention_ms
        self._limits = limits
        self._prices = prices
        self._new_id = new_id
        self._clock = clock
        self._pick = pick
        self._memory = Memory(store, self._now)

    def usable_record(
        self, account: str, meanwhile: Meanwhile | None = None, *, is_claimed: bool = False
    ) -> Record:
        """The record of an account, at most memory.MEMORY_MS old.

        is_claimed: whether `admit` follows, which finds out whether an older one still holds.
        Raises KeyNotAllowed, StateUnavailable.
        """
        item = self._memory.item(account)
        if self._memory.is_old(account) and not (is_claimed and _may_be_claimed(item, self._now())):
            if meanwhile is not None:
                old = record_of(item)
                meanwhile(old and old.key_alias)
            item = self._memory.read(account)
        return checked_record(record_of(item), self._now())

    def info(self, principal: Principal, path: str) -> dict[str, Any]:
        """What the principal may know of itself, as of now. Raises StateUnavailable."""
        from sluice.access.key_info import key_info  # noqa: PLC0415 -- rarely asked for

        item = self._store.get_all([principal.account]).get(principal.account, {})
        record = record_of(item)
        if record is not None and record.shards > 1:
            item = merged(
                [*self._store.get_all(shard_accounts(record.key, record.shards)).values()]
            )
        bounds = self._bounds(record, path, Part(None))
        return key_info(principal, record, bounds, item, self._now())

    def admit(
        self, principal: Principal, ask: Ask, meanwhile: Meanwhile | None = None
    ) -> Ticket | None:
        """Let a request through. None: nothing limits it.

        meanwhile: not called for a request that seems to be refused.
        Raises KeyNotAllowed, ModelNotAllowed, ModelWithoutPrice, RateLimited, BudgetSpent,
        StateUnavailable.
        """
        return self._admit_to_any(principal, ask, meanwhile)

    def check(self, principal: Principal, ask: Ask) -> None:
        """Raise what `admit` would raise as far as it is known, and claim nothing.

        At most the record is read. For requests that may need to read something else before.
        """
        self._admit_to_any(principal, ask, claims=False)

    def _admit_to_any(
        self,
        principal: Principal,
        ask: Ask,
        meanwhile: Meanwhile | None = None,
        *,
        claims: bool = True,
    ) -> Ticket | None:
        for _ in range(2):
            try:
                return self._admit_to_shards(principal, ask, meanwhile, claims=claims)
            except ShardsChangedError:
                self._memory.forget()
        raise StateUnavailable("The record was replaced meanwhile. Try again.")

    def _admit_to_shards(
        self, principal: Principal, ask: Ask, meanwhile: Meanwhile | None, *, claims: bool
    ) -> Ticket | None:
        count = 1
        if principal.has_record:
            count = self.usable_record(principal.account, meanwhile, is_claimed=True).shards
        accounts = shard_accounts(principal.account, count)
        first = self._pick(count) if count > 1 else 0
        refusals: list[Refusal] = []
        for index in (*range(first, count), *range(first)):
            one = principal._replace(account=accounts[index])
            try:
                found = self._admit(one, ask, Part(index, count), meanwhile, claims=claims)
            except NOT_ALLOWED as error:
                item, bounds = self._whole(accounts, ask.path)
                error.own_headers = limit_headers(bounds, item, self._now())
                raise
            if found is None:
                return None
            item, bounds = self._whole(accounts, ask.path)
            if isinstance(found, Case):
                prices, headers = partial(self._price, ask), limit_headers(bounds, item, found.now)
                return Ticket(self._store, self._clock, prices, one, found, headers)
            refusals.append(found)
        raise refusal_error(merged_refusal(refusals), principal.name, bounds, item, self._now())

    def _whole(self, accounts: Sequence[str], path: str) -> tuple[Item, Bounds]:
        """What all shards have counted, as they were seen last, and the whole limits."""
        item = merged([self._memory.item(account) for account in accounts])
        return item, self._bounds(record_of(item), path, Part(None))

    def _admit(
        self,
        principal: Principal,
        ask: Ask,
        part: Part,
        meanwhile: Meanwhile | None,
        *,
        claims: bool,
    ) -> Case | Refusal | None:
        """The same for one shard: what was let through, or why not.

        None: nothing limits it, or only a claim can tell.
        """
        began = self._now()
        if principal.has_record:
            self.usable_record(principal.account, meanwhile, is_claimed=True)
        item, is_fresh = self._memory.item(principal.account), False
        is_old = principal.has_record and self._memory.is_old(principal.account)
        while True:
            try:
                case = self._case(principal, ask, item, part)
            except NOT_ALLOWED:
                if not is_old:
                    raise
                item, is_old = self._memory.read(principal.account), False
                continue
            # Requests in a window only grow in number. All else may have been given back.
            refused = refusal(case.bounds, case.claim, item, case.now)
            if refused is not None and (
                (refused.kind == "requests" and not is_old)
                or (is_fresh and not settle_dead(self._store, principal, case, item))
            ):
                return refused
            if case.bounds == Bounds() or not claims:
                return None
            if case.now - began > self._max_contention_ms:
                raise StateUnavailable("Too many requests of one principal came at once.")
            if refused is None and meanwhile is not None:
                meanwhile(principal.name)
            change = admission(case.bounds, case.claim, principal.account, item, case.now)
            outcome = self._store.change(change)
            item, is_fresh, is_old = outcome.item, True, False
            self._memory.remember(principal.account, item)
            if outcome.was_applied or has_lease(item, case.claim):
                return case

    def _case(self, principal: Principal, ask: Ask, item: Item, part: Part) -> Case:
        now = self._now()
        record = checked_record(record_of(item), now) if principal.has_record else None
        if record is not None:
            if record.shards != part.of:
                raise ShardsChangedError
            check_allowed(record, ask)
        bounds = self._bounds(record, ask.path, part)
        cost = 0 if bounds.max_budget is None else self._cost(principal, ask)
        ends_at = now + int(ask.lasts_s * 1000) + LEASE_SLACK_MS
        model = ask.model[:MAX_CHARACTERS]
        claim = Claim(self._new_id(), model, ask.tokens.total, cost, ends_at)
        return Case(now, bounds, claim)

    def _cost(self, principal: Principal, ask: Ask) -> int:
        price = self._price(ask)
        if price is None:
            model = ask.model[:MAX_CHARACTERS] or "a request without a model"
            raise ModelWithoutPrice(
                f"{principal.name} has a budget, and the price of {model} is unknown. "
                "Ask for another model, or have its price added to MODEL_PRICES."
            )
        others = (self._price(ask, model) for model in ask.fallbacks)
        return max(each.cost(ask.tokens) for each in (price, *others) if each)

    def _price(self, ask: Ask, answered_by: str = "") -> Price | None:
        """The price of the model that has answered, if it is known, or else of the one asked."""
        prices = self._prices()
        if ask.is_free:
            return prices.FREE
        names = (answered_by, ask.model) if answered_by else (ask.model,)
        found = (prices.find(ask.base_url, name) for name in names)
        return next((price for price in found if price), None)

    def _bounds(self, record: Record | None, path: str, part: Part) -> Bounds:
        if record is None:
            return Bounds(self._limits.windows(path))
        return bounds_of(record, self._limits.windows(path, record.rpm_limit, part), part)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def bounds_of(record: Record, windows: tuple[Window, ...], part: Part = WHOLE) -> Bounds:
    """What a record limits, in one shard or in all."""
    return Bounds(
        windows,
        part.share(record.tpm_limit),
        part.share(record.max_parallel_requests),
        part.share(record.max_budget),
        record.budget_duration,
        record.revision,
        is_part=not part.is_whole,
    )


def checked_record(record: Record | None, now: int) -> Record:
    """The record, if its key may be used at `now`, Unix ms. Raises KeyNotAllowed."""
    if record is None:
        raise KeyNotAllowed("A key of this gateway is required (got an unknown key).")
    if record.blocked:
        raise KeyNotAllowed(f"The key {record.key_alias} is blocked.")
    if record.expires is not None and record.expires * 1000 <= now:
        raise KeyNotAllowed(f"The key {record.key_alias} has expired.")
    return record


def _may_be_claimed(item: Item, now: int) -> bool:
    """Whether an old item is worth a claim: each shard would have to find out for itself."""
    try:
        return checked_record(record_of(item), now).shards == 1
    except KeyNotAllowed:
        return False


def check_allowed(record: Record, ask: Ask) -> None:
    """Raises ModelNotAllowed, PromptTemplateNotAllowed for what the record does not allow."""
    if record.models and not (ask.is_free or _matches(ask.model, record.models)):
        model = f"the model {ask.model[:MAX_CHARACTERS]}"
        asked = model if ask.model else "requests without a model"
        message = f"The key {record.key_alias} does not allow {asked}."
        raise ModelNotAllowed(message, param="model")
    templates = record.prompt_templates
    if templates and ask.prompt_template and not _matches(ask.prompt_template, templates):
        message = f"The key {record.key_alias} does not allow this prompt template."
        raise PromptTemplateNotAllowed(message, param="prompt_template")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
