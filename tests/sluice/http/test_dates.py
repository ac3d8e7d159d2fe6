"""Dates of headers."""

from __future__ import annotations

from datetime import UTC, datetime

from sluice.http.dates import http_date


def test_date_is_seconds_since_1970() -> None:
    moment = datetime(2026, 11, 28, 13, 0, tzinfo=UTC).timestamp()
    forms = ("Sat, 28 Nov 2026 13:00:00 GMT", "Sat, 28 Nov 2026 14:00:00 +0100")
    assert [http_date(text) for text in forms] == [moment, moment]


def test_missing_or_invalid_date_is_zero() -> None:
    assert [http_date(text) for text in ("", "tomorrow", "Sat, 99 Nov 99999 13:00:00 GMT")] == [
        0.0
    ] * 3
