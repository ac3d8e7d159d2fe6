"""What a client learns of a limit: the error of a refusal, and what is left (no I/O)."""

from __future__ import annotations

from sluice.access.account import MINUTE_MS
from sluice.access.durations import budget_window
from sluice.access.errors import BudgetSpent, RateLimited
from sluice.access.records import MICRO
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.access.account import Bounds, Refusal
    from sluice.errors import SluiceError
    from sluice.state.item import Item

SECOND_MS = 1000
WHAT = {
    "requests": ("requests", "requests in {window_s} s"),
    "tokens": ("tokens", "tokens a minute"),
    "parallel": ("requests", "answers at once"),
}
"""OpenAI's error type of each kind, and the unit of its limit in words."""


class Left(NamedTuple):
    """reset_ms: until the limit is whole again."""

    limit: int
    remaining: int
    reset_ms: int


def limit_headers(bounds: Bounds, item: Item, now: int) -> dict[str, str]:
    """OpenAI's headers, for the limit of requests and of tokens that is closest.

    https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
    """
    requests = [
        Left(window.rate.amount, max(window.rate.amount - count.used, 0), count.reset_at - now)
        for window in bounds.windows
        for count in (window.count(item, now),)
    ]
    headers = _headers("requests", min(requests, key=lambda left: left.remaining, default=None))
    if bounds.tpm_limit is not None:
        minute = now // MINUTE_MS
        used = int(item.get(f"t {minute}", 0))
        remaining, reset_ms = max(bounds.tpm_limit - used, 0), (minute + 1) * MINUTE_MS - now
        headers |= _headers("tokens", Left(bounds.tpm_limit, remaining, reset_ms))
    return headers


def refusal_error(found: Refusal, name: str, bounds: Bounds, item: Item, now: int) -> SluiceError:
    """The error for a refusal. name: the principal's."""
    error = _error(found, name, bounds, now)
    error.own_headers = limit_headers(bounds, item, now)
    return error


def _error(found: Refusal, name: str, bounds: Bounds, now: int) -> SluiceError:
    if found.kind == "budget":
        reset_at = budget_window(bounds.budget_duration, now // 1000).end
        until = "" if reset_at is None else f" It begins anew at {_moment(reset_at)}."
        return BudgetSpent(
            f"{name} has used or reserved {_usd(found.used)} of its budget of {_usd(found.limit)},"
            f" and this request could cost more than is left.{until}"
        )
    kind, unit = WHAT[found.kind]
    limit = f"its limit of {found.limit} {unit.format(window_s=found.window_s)}"
    if found.retry_at is None:
        message = (
            f"This request could use more than one shard of {name} allows of {limit}. Ask for less"
            " output, by max_completion_tokens."
        )
        return RateLimited(message, kind, None)
    retry_ms = max(found.retry_at - now, 1)
    message = f"{name} has reached {limit}. Try again in {-(-retry_ms // SECOND_MS)} s."
    return RateLimited(message, kind, retry_ms)


def _headers(kind: str, left: Left | None) -> dict[str, str]:
    if left is None:
        return {}
    return {
        f"x-ratelimit-limit-{kind}": str(left.limit),
        f"x-ratelimit-remaining-{kind}": str(left.remaining),
        f"x-ratelimit-reset-{kind}": go_duration(left.reset_ms),
    }


def go_duration(ms: int) -> str:
    """Milliseconds as Go writes them: 12ms, 1.5s, 6m0s, 1h0m0s."""
    if ms < SECOND_MS:
        return f"{ms}ms"
    seconds, rest = divmod(ms, SECOND_MS)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    fraction = f".{rest:03}".rstrip("0") if rest else ""
    large = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{large}{seconds}{fraction}s"


def _usd(micro: int) -> str:
    return f"${micro / MICRO:.6f}".rstrip("0").rstrip(".")


def _moment(seconds: int) -> str:
    import time  # noqa: PLC0415 -- few requests are refused

    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
