"""Counts requests that could not be counted when they ended, from the lines that their log has.

Each counts once, however often its line is read: counting needs the lease, and removes it. A
request that was settled has no lease, and only reports miss it: they keep that it was replayed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scripts.access.store import ToolStore
from sluice.access.account import Bounds, Lease, Used, settlement
from sluice.access.daily_usage import KEPT_S, RequestUsage, usage_change
from sluice.access.records import record_of
from sluice.access.usage import Savings, Tokens
from sluice.state.changes import Change, Equals

FIELD = "uncounted"
REPLAYED = "replayed "
"""How names begin, in a day's counts, that say which requests were replayed."""
MAX_NESTING = 2
"""Lambda's JSON logs have the function's own line as `message`."""


class Uncounted(NamedTuple):
    """One request, as access.ticket.Ticket.replay describes it. at: Unix ms.

    is_settled: whether nothing but its count for reports is missing.
    """

    account: str
    name: str
    at: int
    lease: Lease
    used: RequestUsage
    is_settled: bool


class Replayed(NamedTuple):
    """How many lines were counted now, had been counted before, and could not be understood."""

    counted: int
    known: int
    damaged: int


def replay(store: ToolStore, lines: Iterable[str], now: float) -> Replayed:
    """Count what the lines say. Raises ToolError: then reading all lines again does no harm."""
    counted = known = damaged = 0
    for found in uncounted(lines):
        if found is None:
            damaged += 1
        elif store.change_all(_changes(store, found, now)):
            counted += 1
        else:
            known += 1
    return Replayed(counted, known, damaged)


def uncounted(lines: Iterable[str]) -> Iterator[Uncounted | None]:
    """What the lines have of uncounted requests; None for each that is damaged."""
    for line in lines:
        if f'{FIELD}"' in line or f'{FIELD}\\"' in line:
            fields = _fields(line[max(line.find("{"), 0) :])
            if fields is not None:
                yield _read(fields)


def _fields(text: str) -> Any:
    """What an object has under FIELD; {} for a text that is not JSON, None without FIELD."""
    for _ in range(MAX_NESTING):
        try:
            document = json.loads(text) if isinstance(text, str) else text
        except (ValueError, RecursionError):
            return {}
        if not isinstance(document, dict) or FIELD in document:
            return document.get(FIELD) if isinstance(document, dict) else None
        text = document.get("message", "null")
    return None


def _read(fields: Mapping[str, Any]) -> Uncounted | None:
    try:
        lease = Lease(*json.loads(fields["lease"]))
        tokens = Tokens(*json.loads(fields["tokens"]))
        account, name, at = str(fields["account"]), str(fields["name"]), int(fields["at"])
        cost = fields.get("micro_usd")
        savings = Savings(*json.loads(fields["saved"])) if "saved" in fields else None
        failed, is_settled = bool(fields.get("failed")), bool(fields.get("settled"))
    except (ValueError, LookupError, TypeError):
        return None
    numbers = [lease.tokens, lease.minute, lease.cost, lease.until, *tokens[:3], cost or 0]
    numbers += savings or ()
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    used = RequestUsage(tokens, cost, savings, failed)
    return Uncounted(account, name, at, lease, used, is_settled)


def _changes(store: ToolStore, found: Uncounted, now: float) -> list[Change]:
    model = found.lease.model
    counted = usage_change(found.account, found.name, model, found.used, found.at / 1000)
    if found.is_settled:
        mark = f"{REPLAYED}{found.lease.id}"
        return [counted._replace(guards=(Equals(mark, None),), put={**counted.put, mark: 1})]
    record = record_of(store.get_all([found.account]).get(found.account, {}))
    bounds = Bounds() if record is None else Bounds((), record.tpm_limit, revision=record.revision)
    used = Used(found.used.tokens.total, found.used.cost or 0)
    settled = settlement(bounds, found.account, found.lease, used, int(now * 1000))
    if record is None:
        settled = settled._replace(expires_at=now + KEPT_S)  # longer than any of its windows
    return [settled, counted]
