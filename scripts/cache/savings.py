"""What the cache has saved, from the daily counts (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scripts.usage.command_line import DEFAULT_DAYS, first_day
from scripts.usage.report import grouped, total
from sluice.access.daily_usage import usages
from sluice.access.records import MICRO
from sluice.state.item import Item

NOTHING = (
    "No request was counted in the last {days} days: docs/keys.md says which ones are counted.\n"
)


class Savings(NamedTuple):
    """since: the first day, in UTC. requests: those that were counted, hits included."""

    since: str
    requests: int
    cache_hits: int
    saved_tokens: int
    saved_usd: float


def savings_of(items: Mapping[str, Item], now: float) -> Savings:
    """The sums of the last days. items: of daily_usage, by key. now: Unix time."""
    since = first_day(now)
    recent = (usage for usage in usages(items) if usage.day >= since)
    counts = total(grouped(recent, ())).counts
    return Savings(
        since,
        counts["requests"],
        counts["cache_hits"],
        counts["saved_tokens"],
        counts["saved_micro_usd"] / MICRO,
    )


def as_text(savings: Savings) -> str:
    """For people."""
    if not savings.requests:
        return NOTHING.format(days=DEFAULT_DAYS)
    rate = savings.cache_hits / savings.requests
    return (
        f"Since {savings.since}, of {savings.requests:,} requests that a record or a rate limit"
        " counts\n\n"
        f"hits      {savings.cache_hits:,} ({rate:.1%})\n"
        f"saved     {savings.saved_tokens:,} tokens, {savings.saved_usd:,.6f} USD\n"
    )
