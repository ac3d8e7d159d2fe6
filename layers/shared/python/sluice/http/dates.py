"""HTTP's dates (no I/O). Imported where a date has come: email.utils takes 5 ms."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz


def http_date(text: str) -> float:
    """A date as seconds since 1970; 0.0 if it is missing or invalid.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    """
    parsed = parsedate_tz(text)
    try:
        return float(mktime_tz(parsed)) if parsed else 0.0
    except (ValueError, OverflowError):
        return 0.0
