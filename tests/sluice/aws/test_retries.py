"""What is sent again, judged by botocore's standard mode."""

from __future__ import annotations

from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from sluice.aws.errors import AwsError, AwsMisconfigured, AwsRefused, AwsUnreachable
from sluice.aws.retries import (
    LEAST_SKEW_S,
    MAX_PAUSE_S,
    SKEWED,
    clock_skew,
    jitter,
    pause_before_retry,
)


def pause(error: AwsError, failures: int = 1, *, may_repeat: bool = True) -> float | None:
    return pause_before_retry(error, failures, may_repeat=may_repeat, random=lambda: 1.0)


def test_what_botocore_retries_is_retried() -> None:
    transient = TransientRetryableChecker()
    codes = {
        *ThrottledRetryableChecker()._THROTTLED_ERROR_CODES,  # noqa: SLF001 -- the list to equal
        *transient._TRANSIENT_ERROR_CODES,  # noqa: SLF001
    } - {"EC2ThrottledException"}
    assert all(pause(AwsRefused(code, 400)) is not None for code in codes)
    statuses = transient._TRANSIENT_STATUS_CODES  # noqa: SLF001
    assert all(pause(AwsRefused("any", status)) is not None for status in statuses)
    assert pause(AwsUnreachable("NoReply", may_be_done=True)) is not None


def test_what_cannot_succeed_is_not_retried() -> None:
    for code in ("AccessDeniedException", "ValidationException", "ResourceNotFoundException"):
        assert pause(AwsRefused(code, 400)) is None
    assert pause(AwsMisconfigured("AWS_REGION is missing")) is None


def test_what_may_be_done_is_repeated_only_where_that_does_no_harm() -> None:
    for error in (
        AwsUnreachable("TimedOut", may_be_done=True),
        AwsRefused("a", 500, may_be_done=True),
    ):
        assert pause(error, may_repeat=False) is None
        assert pause(error) is not None
    for error in (AwsUnreachable("CannotConnect"), AwsRefused("ThrottlingException", 400)):
        assert pause(error, may_repeat=False) is not None


def test_pauses_double_up_to_a_second_and_are_random() -> None:
    error = AwsUnreachable("NoReply")
    assert [pause(error, failures) for failures in (1, 2, 3, 9)] == [0.05, 0.1, 0.2, MAX_PAUSE_S]
    half = pause_before_retry(error, 1, may_repeat=True, random=lambda: 0.5)
    assert half == 0.025
    assert all(0 <= jitter() < 1 for _ in range(99))


def test_clock_is_corrected_where_it_explains_the_rejection() -> None:
    for code in SKEWED:
        error = AwsRefused(code, 400)
        assert clock_skew(error, 1000.0) is None  # without a date
        for skew, found in ((7200.0, 7200.0), (-300.0, -300.0), (LEAST_SKEW_S - 1, None)):
            error.server_time = 10_000.0 + skew
            assert clock_skew(error, 10_000.0) == found
    other = AwsRefused("AccessDeniedException", 400)
    other.server_time = 1.0
    assert clock_skew(other, 10_000.0) is None
    assert clock_skew(AwsUnreachable("NoReply"), 10_000.0) is None
