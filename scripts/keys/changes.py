"""What the commands do to records, as changes of the store (no I/O).

An item `alias NAME` names the account of the record with that alias. It changes together with the
record, so that no two records have one alias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.access.errors import ToolError
from sluice.access.account import LEASE, RUNNING, Bounds, Lease, leases, leases_over
from sluice.access.durations import expiry
from sluice.access.records import NUMBERS, Record, item_of
from sluice.access.shards import shard_accounts
from sluice.access.ticket import charge
from sluice.state.changes import Change, Equals
from sluice.state.item import Item

ALIAS_PREFIX = "alias "
ACCOUNT = "account"


class Stored(NamedTuple):
    """A record, and the items that hold it and count for it, by their keys: one for each shard."""

    record: Record
    items: Mapping[str, Item]

    @property
    def leases(self) -> list[Lease]:
        return [lease for item in self.items.values() for lease in leases(item)]


def alias_item(alias: str) -> str:
    return f"{ALIAS_PREFIX}{alias}"


def with_fields(record: Record, fields: Mapping[str, Any], now: int) -> Record:
    """The record with new values of some fields. Raises ToolError for those that do not fit.

    now: Unix seconds; a new duration begins then.
    """
    made = record._replace(**fields, updated_at=now)
    small = [name for name in NUMBERS if (getattr(made, name) or made.shards) < made.shards]
    if small:
        raise ToolError(f"Each limit must be at least --shards, which split it ({small[0]}).")
    if "duration" in fields:
        made = made._replace(expires=expiry(made.duration, now) if made.duration else None)
    if made.max_budget is None:
        if fields.get("budget_duration"):
            raise ToolError("--budget-duration needs --budget: it says how long a budget lasts.")
        made = made._replace(budget_duration=None)
    return made


def creation(record: Record) -> list[Change]:
    """Stores a record whose alias and account are free."""
    guards, put = (Equals("key_alias", None),), item_of(record)
    return [
        _names(record, None),
        *(Change(key, None, guards, put=put) for key in accounts_of(record)),
    ]


def replacement(old: Record, new: Record) -> list[Change]:
    """Replaces a record by another of the same account, unless it has changed since."""
    guards, put = (
        (Equals("revision", old.revision),),
        item_of(new._replace(revision=old.revision + 1)),
    )
    removed = tuple(name for name in Record._fields if name not in put)
    return [Change(key, None, guards, put=put, remove=removed) for key in accounts_of(old)]


def charges(stored: Stored, now: float) -> list[tuple[Change, Change]]:
    """Those of requests whose functions have died."""
    record, bounds, now_ms = stored.record, Bounds(revision=stored.record.revision), int(now * 1000)
    return [
        charge(account, record.key_alias, bounds, lease, now_ms)
        for account, item in stored.items.items()
        for lease in leases_over(item, now_ms)
    ]


def removal(stored: Stored, now: float) -> list[Change]:
    """Removes a blocked record."""
    record = stored.record
    guards = (Equals(ACCOUNT, record.key),)
    changes = [Change(alias_item(record.key_alias), now, guards, remove=(ACCOUNT,))]
    changes += [_emptied(record, account, item, now) for account, item in stored.items.items()]
    return changes


def move(stored: Stored, record: Record, now: float) -> list[Change]:
    """Moves a blocked record and what it has used to the account of `record`.

    Requests in progress can no longer be settled: their cost is what they had claimed.
    """
    changes = [_names(record, stored.record.key)]
    for (old, item), account in zip(stored.items.items(), accounts_of(record), strict=True):
        put = {**_used(item), **item_of(record)}
        changes += [
            _emptied(stored.record, old, item, now),
            Change(account, None, (Equals("key_alias", None),), put=put),
        ]
    return changes


def accounts_of(record: Record) -> list[str]:
    """The keys of a record's items."""
    return shard_accounts(record.key, record.shards)


def _used(item: Item) -> dict[str, str | int]:
    """What an item counts, and what its requests in progress had claimed."""
    used = {n: v for n, v in item.items() if n not in Record._fields and not _is_own(n)}
    for lease in leases(item):
        if lease.window:
            name = f"s {lease.window}"
            used[name] = int(used.get(name, 0)) + lease.cost
    return used


def _is_own(name: str) -> bool:
    """Whether it counts requests in progress, which do not move."""
    return name == RUNNING or name.startswith(LEASE)


def _names(record: Record, previous: str | None) -> Change:
    """Lets the record's alias name its account; it names `previous` before."""
    guard = Equals(ACCOUNT, previous)
    return Change(alias_item(record.key_alias), None, (guard,), put={ACCOUNT: record.key})


def _emptied(record: Record, account: str, item: Item, now: float) -> Change:
    """A blocked record's counters change only when one of its requests ends."""
    guards = (Equals("revision", record.revision), Equals(RUNNING, item.get(RUNNING)))
    return Change(account, now, guards, remove=tuple(item))
