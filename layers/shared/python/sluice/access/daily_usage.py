"""Counts of one principal's requests for one model on one day, as one stored item (no I/O)."""

from __future__ import annotations

import time

from sluice.named_tuple import NamedTuple
from sluice.state.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sluice.access.usage import Savings, Tokens
    from sluice.state.item import Item

PREFIX = "usage "
KEPT_S = 400 * 86_400
"""How long a day's counts are kept: a year, and time to look at it."""
OTHER = "other"
"""What reports call requests without a model."""
FIELDS = (
    "requests",
    "failures",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "micro_usd",
    "estimated_requests",
    "estimated_tokens",
    "unpriced_requests",
    "cache_hits",
    "saved_tokens",
    "saved_micro_usd",
)
"""unpriced_requests: of models without a known price; they count as 0. saved_…: by cache_hits."""


class Usage(NamedTuple):
    """One day's counts of one principal and model."""

    day: str
    principal: str
    model: str
    counts: dict[str, int]


class RequestUsage(NamedTuple):
    """What one request has used. cost: micro-USD; None for a model whose price is unknown.

    savings: of an answer from the cache.
    """

    tokens: Tokens
    cost: int | None
    savings: Savings | None = None
    has_failed: bool = False


def usage_change(account: str, name: str, model: str, used: RequestUsage, now: float) -> Change:
    """Counts one request: rather not at all than twice.

    name: who it counts for, in reports. model: in the length of gate.MAX_CHARACTERS. now: Unix
    time.
    """
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    tokens, cost, savings, has_failed = used
    counts = {
        "requests": 1,
        "failures": int(has_failed),
        "input_tokens": tokens.input,
        "cached_tokens": tokens.cached,
        "output_tokens": tokens.output,
        "micro_usd": cost or 0,
        "estimated_requests": int(tokens.is_estimated),
        "estimated_tokens": tokens.total if tokens.is_estimated else 0,
        "unpriced_requests": int(cost is None),
        "cache_hits": int(savings is not None),
        "saved_tokens": 0 if savings is None else savings.tokens,
        "saved_micro_usd": 0 if savings is None else savings.micro_usd,
    }
    add = {field: count for field, count in counts.items() if count}
    put = {"name": name, "model": model or OTHER}
    key = usage_key(day, account, model)
    return Change(key, now + KEPT_S, add=add, put=put, may_repeat=False)


def usage_key(day: str, account: str, model: str) -> str:
    """Clients choose models, so each has an item of its own: one for all would grow too large."""
    return f"{PREFIX}{day} {model} {account}"


def usages(items: Mapping[str, Item]) -> Iterator[Usage]:
    """What items count, by key. Those of an older form, without a model, do not count."""
    return (usage_of(key, item) for key, item in items.items() if "model" in item)


def usage_of(key: str, item: Item) -> Usage:
    day = key.removeprefix(PREFIX).partition(" ")[0]
    counts = {field: int(item.get(field, 0)) for field in FIELDS}
    return Usage(day, str(item["name"]), str(item["model"]), counts)
