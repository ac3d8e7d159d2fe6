"""When a failed request is sent again, after which pause, and to which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import (
    Cancelled,
    DeadlineReached,
    SluiceError,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.upstream.retries import (
    FIRST_PAUSE_S,
    MAX_RETRY_AFTER_S,
    NextAttempt,
    RetryPlan,
    key_rest,
    retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT
AGES = 900.0  # seconds until the deadline


def plan_of(
    retries: int = 2,
    fallbacks: Mapping[str, str] | None = None,
    model: str | None = "a",
    random: float = 1.0,
) -> RetryPlan:
    return RetryPlan(retries, fallbacks or {}, model, lambda: random, lambda: NOW)


def refused(status: int = 503, **headers: str) -> UpstreamRefused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return UpstreamRefused(status, named, b"", None)


def next_of(plan: RetryPlan, error: SluiceError, left: float = AGES) -> NextAttempt | None:
    return plan.after(error, left, has_other_key=False)


def attempts(plan: RetryPlan) -> list[NextAttempt]:
    """What follows while every attempt fails with status 503."""
    return list(iter(lambda: next_of(plan, refused()), None))


TEMPORARY = [UpstreamUnreachable("no"), UpstreamBroken("cut")]
TEMPORARY += map(refused, (408, 409, 429, 500, 502, 503, 504, 520, 529, 599))
LASTING = [
    UpstreamSilent("the model may be at work, and a second answer costs as much"),
    UpstreamError("redirects"),
    DeadlineReached("over"),
    Cancelled("enough"),
    *map(refused, (400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 424, 451, 499)),
]


def test_temporary_failure_is_retried() -> None:
    for error in TEMPORARY:
        assert next_of(plan_of(), error) == NextAttempt(FIRST_PAUSE_S), repr(error)


def test_lasting_failure_is_neither_retried_nor_sent_to_a_fallback_model() -> None:
    for error in LASTING:
        assert next_of(plan_of(fallbacks={"a": "b"}), error) is None, repr(error)


@pytest.mark.parametrize(
    ("status", "value", "is_retried"),
    [
        (500, "false", False),
        (429, "false", False),
        (400, "true", True),
        (500, "maybe", True),
        (400, "", False),
    ],
)
def test_x_should_retry_decides(status: int, value: str, *, is_retried: bool) -> None:
    error = refused(status, x_should_retry=value)
    assert (next_of(plan_of(), error) is not None) is is_retried


OWN_PAUSE_S = FIRST_PAUSE_S * 0.1  # for the random number of this test


@pytest.mark.parametrize(
    ("pause", "values"),
    [
        (3.0, ["3"]),
        (0.25, ["0.25"]),
        (MAX_RETRY_AFTER_S, [str(MAX_RETRY_AFTER_S)]),
        (7.0, ["Wed, 21 Oct 2015 07:28:07 GMT", "Wednesday, 21-Oct-15 07:28:07 GMT"]),
        (OWN_PAUSE_S, ["0", "-5", "-inf", "nan", "", "soon"]),
        (OWN_PAUSE_S, ["Wed, 21 Oct 2015 07:27:00 GMT", "Wed, 99 Foo 99999 07:28:00 GMT"]),
        (None, ["20.1", "3600", "1e300", "inf", "Wed, 21 Oct 2015 07:29:00 GMT"]),
    ],
)
def test_pause_follows_retry_after_unless_it_is_too_long(
    pause: float | None, values: list[str]
) -> None:
    expected = None if pause is None else NextAttempt(pause)
    for value in values:
        assert next_of(plan_of(random=0.1), refused(retry_after=value)) == expected, value


def test_retry_after_ms_wins_when_it_is_a_number() -> None:
    for value, pause in (("1500", 1.5), ("soon", 9.0)):
        error = refused(retry_after_ms=value, retry_after="9")
        assert next_of(plan_of(), error) == NextAttempt(pause)


def test_fallback_model_is_asked_at_once_when_the_pause_is_too_long() -> None:
    for error, left in ((refused(429, retry_after="3600"), AGES), (refused(), 0.1)):
        assert next_of(plan_of(fallbacks={"a": "b"}), error, left) == NextAttempt(0.0, "b")


def test_error_without_headers_has_no_retry_after() -> None:
    assert retry_after(UpstreamUnreachable("no"), NOW) == 0.0


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_pauses_double_up_to_a_limit_and_vary_at_random(random: float) -> None:
    pauses = [attempt.pause_s for attempt in attempts(plan_of(retries=7, random=random))]
    assert pauses == [random * pause for pause in (0.5, 1, 2, 4, 8, 8, 8)]


def test_retries_are_as_many_as_the_setting_allows() -> None:
    for retries in (0, 1, 5):
        plan = plan_of(retries)
        assert len(attempts(plan)) == plan.asked_again == retries


def test_no_pause_goes_beyond_the_deadline() -> None:
    assert next_of(plan_of(), refused(), FIRST_PAUSE_S) is None
    assert next_of(plan_of(), refused(retry_after="5"), 5.0) is None


@pytest.mark.parametrize("status", [401, 429])
def test_another_key_is_tried_at_once_and_uses_up_no_retry(status: int) -> None:
    plan = plan_of(retries=0)
    error = refused(status, retry_after="3600", x_should_retry="false")
    for _ in range(3):
        assert plan.after(error, 0.01, has_other_key=True) == NextAttempt(0.0)
    assert next_of(plan, error) is None
    assert plan.asked_again == 3


def test_retries_begin_after_the_last_key_was_tried() -> None:
    plan = plan_of(retries=1)
    assert plan.after(refused(429), AGES, has_other_key=True) == NextAttempt(0.0)
    assert next_of(plan, refused(429)) == NextAttempt(FIRST_PAUSE_S)
    assert next_of(plan, refused(429)) is None


def test_another_key_does_not_help_with_other_errors() -> None:
    for status in (400, 403, 404):
        assert plan_of().after(refused(status), AGES, has_other_key=True) is None
    assert plan_of().after(refused(500), AGES, has_other_key=True) == NextAttempt(FIRST_PAUSE_S)


@pytest.mark.parametrize(
    ("fallbacks", "model", "asked"),
    [
        ({}, "a", [None]),
        ({"a": "b"}, "a", [None, "b", None]),
        ({"a": "b", "b": "c"}, "a", [None, "b", None, "c", None]),
        ({"a": "a"}, "a", [None]),
        ({"a": "b", "b": "c", "c": "b"}, "a", [None, "b", None, "c", None]),
        ({"a": "b"}, "other", [None]),
        ({"a": "b"}, None, [None]),
    ],
    ids=str,
)
def test_each_fallback_model_gets_its_own_retries_once(
    fallbacks: dict[str, str], model: str | None, asked: list[str | None]
) -> None:
    assert [attempt.model for attempt in attempts(plan_of(1, fallbacks, model))] == asked


def test_pauses_start_over_with_each_model() -> None:
    pauses = [attempt.pause_s for attempt in attempts(plan_of(2, {"a": "b"}))]
    assert pauses == [0.5, 1.0, 0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (refused(401, retry_after="5"), 300.0),
        (refused(429), 20.0),
        (refused(429, retry_after="0"), 20.0),
        (refused(429, retry_after="5"), 5.0),
        (refused(429, retry_after="86400"), 300.0),
    ],
)
def test_refused_key_rests_as_long_as_the_upstream_says_within_limits(
    error: UpstreamRefused, seconds: float
) -> None:
    assert key_rest(error, NOW) == seconds
