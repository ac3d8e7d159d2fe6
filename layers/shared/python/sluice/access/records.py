"""What a record says of a principal, with LiteLLM's field names, as one stored item (no I/O).

The same item counts what the principal uses (access.account), so that one change of it decides
about a request.
"""

from __future__ import annotations

import json

from sluice.authentication import account_of_principal
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sluice.state.item import Item

MICRO = 1_000_000
"""Micro-USD in one USD."""
NUMBERS = ("rpm_limit", "tpm_limit", "max_parallel_requests", "max_budget")
LISTS = ("models", "prompt_templates")
TIMES = ("expires", "created_at", "updated_at")


class Record(NamedTuple):
    """One principal's record. revision grows with each change by an administrator.

    max_budget: micro-USD. expires, created_at, updated_at: Unix seconds. metadata: JSON.
    shards: how many items count, see access.shards.
    """

    key_alias: str
    token: str | None = None
    principal: str | None = None
    models: tuple[str, ...] = ()
    prompt_templates: tuple[str, ...] = ()
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_parallel_requests: int | None = None
    max_budget: int | None = None
    budget_duration: str | None = None
    duration: str | None = None
    expires: int | None = None
    blocked: bool = False
    metadata: str = "{}"
    created_at: int = 0
    updated_at: int = 0
    revision: int = 1
    shards: int = 1

    @property
    def key(self) -> str:
        """The key of its item in the state store."""
        return account_of_principal(self.principal) if self.principal else f"key {self.token}"


def item_of(record: Record) -> dict[str, str | int]:
    """What the store keeps of a record. What is None or empty is left out."""
    fields = record._asdict()
    lists = {name: json.dumps(fields.pop(name)) for name in LISTS if fields[name]}
    fields = {name: value for name, value in fields.items() if value not in (None, ())}
    return {**fields, **lists, "blocked": int(record.blocked)}


def record_of(item: Item) -> Record | None:
    """The record in an item; None for one that only counts."""
    if "key_alias" not in item:
        return None
    values: dict[str, Any] = {name: item[name] for name in Record._fields if name in item}
    for name in LISTS:
        values[name] = tuple(json.loads(values.get(name, "[]")))
    return Record(**{**values, "blocked": bool(values.get("blocked"))})


def shown(record: Record) -> Mapping[str, Any]:
    """A record as its holder and scripts see it: LiteLLM's fields, USD, times in ISO 8601."""
    values = dict(record._asdict())
    del values["revision"]
    for name in TIMES:
        values[name] = iso_time(values[name])
    budget = record.max_budget
    return {
        **values,
        "models": list(record.models),
        "prompt_templates": list(record.prompt_templates),
        "max_budget": None if budget is None else budget / MICRO,
        "metadata": json.loads(record.metadata),
    }


def iso_time(seconds: int | None) -> str | None:
    """Unix seconds as ISO 8601, in UTC."""
    import time  # noqa: PLC0415 -- only for people

    return seconds and time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))  # type: ignore[return-value]
