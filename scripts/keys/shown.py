"""What `npm run keys` prints of records (no I/O). No table holds a key or its digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.access.table import table
from scripts.keys.changes import Stored
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import bounds_of
from sluice.access.key_info import key_info
from sluice.access.records import Record
from sluice.access.shards import merged
from sluice.authentication import Principal

HEAD = ("ALIAS", "STATE", "FOR", "RPM", "TPM", "PARALLEL", "BUDGET", "SPENT", "RESETS", "EXPIRES")
TEXT_COLUMNS = 3
NOTHING = "-"


def described(stored: Stored, now: float, strategy: str) -> dict[str, Any]:
    """A record with what it has used, as GET /key/info has it. strategy: RATE_LIMIT_STRATEGY."""
    record = stored.record
    windows = DeploymentLimits(strategy=strategy).windows("", record.rpm_limit)
    principal = Principal(record.key_alias, record.key, has_record=True)
    counted = merged(list(stored.items.values()))
    return key_info(principal, record, bounds_of(record, windows), counted, int(now * 1000))


def listed(all_stored: Sequence[Stored], now: float, strategy: str) -> str:
    """A table with one row for each record."""
    if not all_stored:
        return "There is no record yet. Make a key: npm run keys -- create ALIAS\n"
    rows = [_row(stored, described(stored, now, strategy), now) for stored in all_stored]
    return table(HEAD, rows, TEXT_COLUMNS)


def details(stored: Stored, now: float, strategy: str) -> str:
    """One record, a line for each thing that it says."""
    record = stored.record
    info = described(stored, now, strategy)
    counted = info["request_limits"]
    used = counted[0]["used"] if counted else 0
    pairs = {
        "alias": record.key_alias,
        "state": state_of(record, now),
        "for": record.principal or "whoever has its key",
        "models": ", ".join(record.models) or "all",
        "prompt templates": ", ".join(record.prompt_templates) or "all",
        "requests": _of(used, record.rpm_limit, "a minute"),
        "tokens": _of(info["used_tokens"], record.tpm_limit, "a minute"),
        "answers": _of(info["running_requests"], record.max_parallel_requests, "at once"),
        "budget": _budget(info),
        "expires": info["expires"] or "never",
        **({"shards": record.shards} if record.shards > 1 else {}),
        "metadata": record.metadata,
        "created": info["created_at"],
        "updated": info["updated_at"],
    }
    return table(("FIELD", "VALUE"), [(name, str(value)) for name, value in pairs.items()], 2)


def state_of(record: Record, now: float) -> str:
    if record.blocked:
        return "blocked"
    return "expired" if record.expires is not None and record.expires <= now else "active"


def usd(amount: float) -> str:
    """With cents, and with what is smaller than a cent."""
    whole = f"{amount:.6f}".rstrip("0")
    return f"{amount:.2f}" if len(whole.partition(".")[2]) < len("00") else whole


def _budget(info: Mapping[str, Any]) -> str:
    if info["max_budget"] is None:
        return "no limit"
    window = f" within {info['budget_duration']}" if info["budget_duration"] else ""
    resets = f", resets {info['budget_reset_at']}" if info["budget_reset_at"] else ""
    used = f"{usd(info['spend'])} of {usd(info['max_budget'])} USD{window} used"
    return f"{used}, {usd(info['reserved'])} reserved{resets}"


def _row(stored: Stored, info: Mapping[str, Any], now: float) -> tuple[str, ...]:
    record = stored.record
    budget = NOTHING if record.max_budget is None else usd(info["max_budget"])
    return (
        record.key_alias,
        state_of(record, now),
        record.principal or "a key",
        *(_number(getattr(record, name)) for name in ("rpm_limit", "tpm_limit")),
        _number(record.max_parallel_requests),
        budget + (f"/{record.budget_duration}" if record.budget_duration else ""),
        NOTHING if record.max_budget is None else usd(info["spend"]),
        info["budget_reset_at"] or NOTHING,
        info["expires"] or NOTHING,
    )


def _number(value: int | None) -> str:
    return NOTHING if value is None else str(value)


def _of(used: int, limit: int | None, unit: str) -> str:
    return "no limit" if limit is None else f"{used} of {limit} {unit} used"
