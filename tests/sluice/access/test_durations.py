"""Lengths of time in records, and the calendar windows of budgets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.access.durations import budget_window, expiry


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("since", "duration", "end"),
    [
        ("2026-11-28T13:00:05", "30s", "2026-11-28T13:00:35"),
        ("2026-11-28T13:00:05", "30m", "2026-11-28T13:30:05"),
        ("2026-11-28T13:00:05", "30h", "2026-11-29T19:00:05"),
        ("2026-11-28T13:00:05", "30d", "2026-12-28T13:00:05"),
        ("2026-11-28T13:00:05", "2mo", "2027-01-28T13:00:05"),
        ("2026-01-31T23:59:59", "1mo", "2026-02-28T23:59:59"),
        ("2027-12-31T00:00:00", "2mo", "2028-02-29T00:00:00"),
        ("2027-12-31T00:00:00", "1200mo", "2127-12-31T00:00:00"),
    ],
)
def test_duration_ends(since: str, duration: str, end: str) -> None:
    assert expiry(duration, unix(since)) == unix(end)


@pytest.mark.parametrize(
    ("duration", "begin", "end"),
    [
        ("1d", "2026-11-28T00:00:00", "2026-11-29T00:00:00"),
        ("7d", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),  # a Monday
        ("1mo", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("3mo", "2026-10-01T00:00:00", "2027-01-01T00:00:00"),
        ("12mo", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("6h", "2026-11-28T12:00:00", "2026-11-28T18:00:00"),
    ],
)
def test_budget_windows_are_calendar_windows(duration: str, begin: str, end: str) -> None:
    window = budget_window(duration, unix("2026-11-28T13:00:05"))
    assert window.end == unix(end)
    assert budget_window(duration, unix(begin)) == window
    assert budget_window(duration, unix(end) - 1) == window
    assert budget_window(duration, unix(begin) - 1).name != window.name
    assert budget_window(duration, unix(end)).name != window.name


@pytest.mark.parametrize("duration", [None, ""])
def test_budget_without_a_duration_is_for_life(duration: str | None) -> None:
    assert budget_window(duration, 0) == budget_window(duration, 1 << 40)
    assert budget_window(duration, 0).end is None


@pytest.mark.parametrize(
    "duration",
    ["1", "0d", "d", "1w", "-1d", "1 d", "1.5d", "1D", "\u0661d", "1221mo", "36601d", "999999999h"],
)
def test_anything_else_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        expiry(duration, 0)
    with pytest.raises(ValueError, match="must be a time such as"):
        budget_window(duration, 0)
