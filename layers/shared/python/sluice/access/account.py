"""Whether a principal may make one more request, decided from what its item counts (no I/O).

A request first claims what it may use at most: a place among the answers at once, tokens of its
minute, and its cost. The claim is a lease in the item: `settlement` replaces it by what was used,
exactly once, because it requires the lease. Where a function died, its lease ends, and the
next request that sees it settles it at what it had claimed.

Names in the item: "n …", "e …", "m …" count requests (access.windows); "t MINUTE" tokens claimed
and used; "running" answers now; "b WINDOW" cost claimed and used; "s WINDOW" cost used; "l ID" a
lease. One name for claimed and used lets one guard cover both: conditions of DynamoDB cannot add.
"""

from __future__ import annotations

import json

from sluice.access.durations import budget_window
from sluice.named_tuple import NamedTuple
from sluice.state.changes import AtMost, Change, Equals, Present

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.access.windows import Window
    from sluice.state.changes import Guard
    from sluice.state.item import Item

MINUTE_MS = 60_000
BUSY_RETRY_MS = 1000
"""When to try again where all places are taken: a guess, since answers end when they end."""
IDLE_KEPT_S = 40 * 86_400
"""How long an item without a record is kept after its last request: longer than a month's window.
Longer windows are kept for their own length on top."""
NEVER = float("inf")
RUNNING, TOKENS = "running", "t "
CLAIMED, SPENT = "b ", "s "
LEASE = "l "


class Bounds(NamedTuple):
    """What limits a principal's requests to one route. None: no limit.

    max_budget: micro-USD within each window of budget_duration. has_record: whether the item has a
    record, which is kept for good. revision: the record's; a change by an administrator makes the
    decision invalid. is_part: whether these are a shard's part of the limits.
    """

    windows: tuple[Window, ...] = ()
    tpm_limit: int | None = None
    max_parallel_requests: int | None = None
    max_budget: int | None = None
    budget_duration: str | None = None
    revision: int | None = None
    is_part: bool = False


class Claim(NamedTuple):
    """What one request may use at most. id: of no other request. until: when it is over, in ms."""

    id: str
    model: str
    tokens: int
    cost: int
    until: int


class Used(NamedTuple):
    """What one request has used. cost: micro-USD."""

    tokens: int
    cost: int


class Refusal(NamedTuple):
    """Why one more request does not fit.

    kind: requests, tokens, parallel or budget. limit and used: in the kind's unit. retry_at: Unix
    ms; None where no waiting helps. window_s: of a limit of requests.
    """

    kind: str
    limit: int
    used: int
    retry_at: int | None
    window_s: int = 0


class Lease(NamedTuple):
    """A claim as the item keeps it. minute, window: what its tokens and its cost count in."""

    id: str
    model: str
    tokens: int
    minute: int
    cost: int
    window: str
    until: int


def refusal(bounds: Bounds, claim: Claim, item: Item, now: int) -> Refusal | None:
    """Why the claim does not fit, of several reasons the one that lasts longest."""
    found = list(_refusals(bounds, claim, item, now))
    return max(found, key=lambda each: each.retry_at or NEVER, default=None)


def admission(bounds: Bounds, claim: Claim, key: str, item: Item, now: int) -> Change:
    """Counts the request and records its lease; its guards hold only where the claim fits.

    item: what was last seen of the item, {} for nothing. What is newer makes a guard fail, or is
    added to.
    """
    steps = [window.step(item, now) for window in bounds.windows]
    lease = lease_of(bounds, claim, now)
    guards: list[Guard] = [Equals(f"{LEASE}{lease.id}", None)]
    guards += [guard for step in steps for guard in step.guards]
    add = {RUNNING: 1}
    for step in steps:
        add |= step.add
    if bounds.revision is not None:
        guards.append(Equals("revision", bounds.revision))
    if bounds.max_parallel_requests is not None:
        guards.append(AtMost(RUNNING, bounds.max_parallel_requests - 1))
    if bounds.tpm_limit is not None:
        guards.append(AtMost(f"t {lease.minute}", bounds.tpm_limit - lease.tokens))
        add[f"t {lease.minute}"] = lease.tokens
    if bounds.max_budget is not None:
        guards.append(AtMost(f"b {lease.window}", bounds.max_budget - lease.cost))
        add[f"b {lease.window}"] = lease.cost
    put = {name: text for step in steps for name, text in step.put.items()}
    put[f"{LEASE}{lease.id}"] = json.dumps(lease[1:])
    old = [name for step in steps for name in step.remove]
    old += _old_minutes(item, lease.minute) + _old_windows(item, lease.window)
    return Change(key, _expires_at(bounds, now), tuple(guards), add, put, tuple(old))


def settlement(bounds: Bounds, key: str, lease: Lease, used: Used, now: int) -> Change:
    """Replaces a lease by what was used. Nothing happens where that has been done before."""
    add = {
        RUNNING: -1,
        f"b {lease.window}": used.cost - lease.cost,
        f"s {lease.window}": used.cost,
    }
    if bounds.tpm_limit is not None and now // MINUTE_MS == lease.minute:
        add[f"t {lease.minute}"] = used.tokens - lease.tokens
    name = f"{LEASE}{lease.id}"
    return Change(key, _expires_at(bounds, now), (Present(name),), add, remove=(name,))


def has_lease(item: Item, claim: Claim) -> bool:
    """Whether the claim's admission is in the item: its reply may have been lost."""
    return f"{LEASE}{claim.id}" in item


def leases_over(item: Item, now: int) -> list[Lease]:
    """The leases of functions that have died: they would have been settled otherwise."""
    return [lease for lease in leases(item) if lease.until <= now]


def leases(item: Item) -> list[Lease]:
    return [
        Lease(name.removeprefix(LEASE), *json.loads(str(text)))
        for name, text in item.items()
        if name.startswith(LEASE)
    ]


def _refusals(bounds: Bounds, claim: Claim, item: Item, now: int) -> Iterator[Refusal]:
    lease = lease_of(bounds, claim, now)
    for window in bounds.windows:
        count = window.count(item, now)
        if count.used >= window.rate.amount:
            amount, seconds = window.rate
            free_at = count.free_at if amount else None  # a shard's part may be 0
            yield Refusal("requests", amount, count.used, free_at, seconds)
    if bounds.tpm_limit is not None:
        used = int(item.get(f"t {lease.minute}", 0))
        if used + lease.tokens > bounds.tpm_limit:
            fits = lease.tokens <= bounds.tpm_limit  # in a shard, it may not
            retry_at = (lease.minute + 1) * MINUTE_MS if fits else None
            yield Refusal("tokens", bounds.tpm_limit, used, retry_at)
    if bounds.max_parallel_requests is not None:
        running = int(item.get(RUNNING, 0))
        if running >= bounds.max_parallel_requests:
            retry_at = now + BUSY_RETRY_MS
            yield Refusal("parallel", bounds.max_parallel_requests, running, retry_at)
    if bounds.max_budget is not None:
        used = int(item.get(f"b {lease.window}", 0))
        if used + lease.cost > bounds.max_budget:
            yield Refusal("budget", bounds.max_budget, used, None)


def lease_of(bounds: Bounds, claim: Claim, now: int) -> Lease:
    """The lease that `admission` records at `now`."""
    window = budget_window(bounds.budget_duration, now // 1000).name
    # A request larger than the limit would never pass: alone in its minute, it may. Not in a shard:
    # there may be one in each.
    limit = None if bounds.is_part else bounds.tpm_limit
    tokens = claim.tokens if limit is None else min(claim.tokens, limit)
    cost = 0 if bounds.max_budget is None else claim.cost
    return Lease(claim.id, claim.model, tokens, now // MINUTE_MS, cost, window, claim.until)


def _old_minutes(item: Item, minute: int) -> list[str]:
    """Those that no late request counts in, see windows.LATE_MS."""
    minutes = [name for name in item if name.startswith(TOKENS)]
    return [name for name in minutes if int(name.removeprefix(TOKENS)) < minute - 1]


def _old_windows(item: Item, window: str) -> list[str]:
    """What earlier budgets' windows had counted, once no request is left that counts in them."""
    kept = {window, *(lease.window for lease in leases(item))}
    return [n for n in item if n.startswith((CLAIMED, SPENT)) and n[len(SPENT) :] not in kept]


def _expires_at(bounds: Bounds, now: int) -> float | None:
    if bounds.revision is not None:
        return None
    longest = max((window.rate.seconds for window in bounds.windows), default=0)
    return now / 1000 + longest + IDLE_KEPT_S
