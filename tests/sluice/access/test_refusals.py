"""What clients learn of limits: headers in OpenAI's forms, and when to try again."""

from __future__ import annotations

from sluice.access.account import MINUTE_MS, Bounds, Refusal
from sluice.access.refusals import go_duration, limit_headers, refusal_error
from sluice.access.windows import FixedWindow
from sluice.limit_values import Rate

NOW = 1_700_000_000_000


def test_durations_are_written_as_go_writes_them() -> None:
    written = {
        0: "0ms",
        999: "999ms",
        1000: "1s",
        1500: "1.5s",
        60_000: "1m0s",
        61_050: "1m1.05s",
        3_600_000: "1h0m0s",
        90_061_001: "25h1m1.001s",
    }
    assert {ms: go_duration(ms) for ms in written} == written


def test_headers_tell_of_the_window_with_the_least_left_and_of_tokens() -> None:
    windows = (FixedWindow("rpm", Rate(9, 60)), FixedWindow("*", Rate(5, 3600)))
    bounds = Bounds(windows, tpm_limit=100)
    item = {f"n rpm 60 {NOW // MINUTE_MS}": 4, f"t {NOW // MINUTE_MS}": 130}
    assert limit_headers(bounds, item, NOW) == {
        "x-ratelimit-limit-requests": "9",
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "40s",
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "40s",
    }


def test_refusal_whose_time_has_just_come_asks_for_the_shortest_pause() -> None:
    error = refusal_error(Refusal("requests", 1, 1, NOW, 60), "team", Bounds(), {}, NOW)
    assert error.headers == {"retry-after": "1", "retry-after-ms": "1"}
