"""Lengths of time as records write them, and the calendar windows of budgets (no I/O)."""

from __future__ import annotations

import re
import time

from sluice.named_tuple import NamedTuple

DAY_S = 86_400
UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
MONTH_S = 30 * DAY_S
"""At least: months differ."""
DURATION = r"(?a)([1-9]\d{0,8})(s|m|h|d|mo)"
MAX_S = 100 * 366 * DAY_S
"""Maximum length. The calendar ends with the year 9999."""
RULE = "must be a time such as 30s, 30m, 30h, 30d or 1mo, of 100 years at most"
WEEK_S = 7 * DAY_S
MONDAY_S = 4 * DAY_S
"""The first Monday of Unix time."""


class BudgetWindow(NamedTuple):
    """name: the same for the same window. end: Unix seconds; None for a window that has none."""

    name: str
    end: int | None


def expiry(duration: str, since: int) -> int:
    """When `duration` is over that begins at `since`, both Unix seconds. Raises ValueError.

    A month keeps the day, or takes the last one of a shorter month.
    """
    number, unit = parts(duration)
    if unit != "mo":
        return since + number * UNITS[unit]
    moment = time.gmtime(since)
    month = _month(moment.tm_year, moment.tm_mon + number)
    last_day = _month(moment.tm_year, moment.tm_mon + number + 1) - DAY_S
    return min(month + (moment.tm_mday - 1) * DAY_S, last_day) + since % DAY_S


def budget_window(duration: str | None, now: int) -> BudgetWindow:
    """The window of a budget at `now`, Unix seconds, in UTC. Raises ValueError.

    Days begin at midnight, 7 days on Monday, months on their first. Other lengths count from
    1970 on. Without a duration the window is the record's whole life.
    """
    if not duration:
        return BudgetWindow("life", None)
    number, unit = parts(duration)
    if unit == "mo":
        moment = time.gmtime(now)
        months = moment.tm_year * 12 + moment.tm_mon - 1
        end = months - months % number + number
        return BudgetWindow(f"{duration}{end}", _month(end // 12, end % 12 + 1))
    length = number * UNITS[unit]
    offset = MONDAY_S if length % WEEK_S == 0 else 0
    count = (now - offset) // length
    return BudgetWindow(f"{duration}{count}", (count + 1) * length + offset)


def parts(duration: str) -> tuple[int, str]:
    """Number and unit. Raises ValueError."""
    found = re.fullmatch(DURATION, duration)
    number, unit = (int(found[1]), found[2]) if found else (MAX_S, "")
    if number * UNITS.get(unit, MONTH_S) > MAX_S:
        raise ValueError(RULE)
    return number, unit


def _month(year: int, month: int) -> int:
    """Unix seconds of the beginning of a month; months over 12 are in later years."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- few records count in months

    years, months = divmod(month - 1, 12)
    return int(datetime(year + years, months + 1, 1, tzinfo=UTC).timestamp())
