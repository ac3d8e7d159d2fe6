"""What the holder of a key may know: its record, its limits, and what it has used (no I/O)."""

from __future__ import annotations

from sluice.access.account import MINUTE_MS, RUNNING
from sluice.access.durations import budget_window
from sluice.access.records import MICRO, iso_time, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sluice.access.account import Bounds
    from sluice.access.records import Record
    from sluice.authentication import Principal
    from sluice.state.item import Item


def key_info(
    principal: Principal, record: Record | None, bounds: Bounds, item: Item, now: int
) -> dict[str, Any]:
    """One JSON object. bounds: for requests to the chat completions. now: Unix ms."""
    window = budget_window(bounds.budget_duration, now // 1000)
    spent = int(item.get(f"s {window.name}", 0))
    claimed = int(item.get(f"b {window.name}", 0)) - spent
    return {
        **({"key_alias": None} if record is None else shown(record)),
        "name": principal.name,
        "spend": spent / MICRO,
        "reserved": max(claimed, 0) / MICRO,
        "budget_reset_at": iso_time(window.end) if bounds.max_budget is not None else None,
        "running_requests": int(item.get(RUNNING, 0)),
        "used_tokens": int(item.get(f"t {now // MINUTE_MS}", 0)),
        "request_limits": [
            {
                "limit": each.rate.amount,
                "seconds": each.rate.seconds,
                "used": count.used,
                "reset_at": iso_time(count.reset_at // 1000) if count.used else None,
            }
            for each in bounds.windows
            for count in (each.count(item, now),)
        ],
    }
