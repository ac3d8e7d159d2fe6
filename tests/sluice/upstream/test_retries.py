"""When a failed request is asked again, from tables."""

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
    MAX_PAUSE_S,
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
PASSING = (408, 409, 429, 500, 502, 503, 504, 520, 529, 599)
LASTING = (400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 424, 451, 499)


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


def models_asked(plan: RetryPlan, error: SluiceError) -> list[str | None]:
    """The models of the further attempts, as far as they change, while all fail alike."""
    models = []
    while (attempt := next_of(plan, error)) is not None:
        models.append(attempt.model)
    return models


@pytest.mark.parametrize("status", PASSING)
def test_status_that_passes_is_asked_again(status: int) -> None:
    assert next_of(plan_of(), refused(status)) == NextAttempt(FIRST_PAUSE_S)


@pytest.mark.parametrize("status", LASTING)
def test_status_that_lasts_is_told_at_once(status: int) -> None:
    assert next_of(plan_of(fallbacks={"a": "b"}), refused(status)) is None


@pytest.mark.parametrize("error", [UpstreamUnreachable("no"), UpstreamBroken("cut")], ids=repr)
def test_connection_that_failed_is_opened_again(error: SluiceError) -> None:
    assert next_of(plan_of(), error) == NextAttempt(FIRST_PAUSE_S)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamSilent("quiet"),
        UpstreamError("redirects"),
        DeadlineReached("over"),
        Cancelled("enough"),
    ],
    ids=repr,
)
def test_what_would_end_the_same_way_is_not_asked_again(error: SluiceError) -> None:
    """Least of all silence: the model may be at work, and its second answer costs as much."""
    assert next_of(plan_of(fallbacks={"a": "b"}), error) is None


@pytest.mark.parametrize(
    ("status", "told", "again"),
    [
        (500, "false", False),
        (429, "false", False),
        (400, "true", True),
        (404, "true", True),
        (500, "maybe", True),
        (400, "", False),
    ],
)
def test_upstream_that_says_whether_to_retry_is_heard(
    status: int, told: str, *, again: bool
) -> None:
    error = refused(status, x_should_retry=told)
    assert (next_of(plan_of(), error) is not None) is again


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": str(MAX_RETRY_AFTER_S)}, MAX_RETRY_AFTER_S),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:07 GMT"}, 7.0),
        ({"retry_after": "Wednesday, 21-Oct-15 07:28:07 GMT"}, 7.0),
    ],
    ids=str,
)
def test_pause_is_what_the_upstream_asks_for(headers: dict[str, str], pause: float) -> None:
    assert next_of(plan_of(random=0.1), refused(503, **headers)) == NextAttempt(pause)


@pytest.mark.parametrize(
    "value",
    [
        "0", "-5", "-inf", "nan", "", "soon", "Wed, 21 Oct 2015 07:27:00 GMT",
        "Wed, 99 Foo 99999 07:28:00 GMT",
    ],
)  # fmt: skip
def test_pause_is_ours_where_the_upstream_asks_for_none(value: str) -> None:
    assert next_of(plan_of(), refused(retry_after=value)) == NextAttempt(FIRST_PAUSE_S)


@pytest.mark.parametrize("value", ["20.1", "3600", "1e300", "inf", "Wed, 21 Oct 2015 07:29:00 GMT"])
def test_longer_wait_than_a_client_bears_is_told_to_it(value: str) -> None:
    assert next_of(plan_of(), refused(429, retry_after=value)) is None


def test_other_model_is_asked_where_the_wait_is_too_long() -> None:
    plan = plan_of(fallbacks={"a": "b"})
    assert next_of(plan, refused(429, retry_after="3600")) == NextAttempt(0.0, "b")


def test_error_without_headers_asks_for_no_wait() -> None:
    assert retry_after(UpstreamUnreachable("no"), NOW) == 0.0


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_pauses_double_up_to_a_bound_and_are_shortened_at_random(random: float) -> None:
    plan = plan_of(retries=7, random=random)
    pauses = []
    while (attempt := next_of(plan, refused())) is not None:
        pauses.append(attempt.pause_s)
    assert pauses == [random * pause for pause in (0.5, 1, 2, 4, 8, 8, 8)]
    assert max(pauses) <= MAX_PAUSE_S


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_no_more_retries_than_the_setting_allows(retries: int) -> None:
    plan = plan_of(retries)
    assert models_asked(plan, refused()) == [None] * retries
    assert plan.asked_again == retries


@pytest.mark.parametrize("left", [FIRST_PAUSE_S, 0.1])
def test_nothing_is_waited_for_beyond_the_deadline(left: float) -> None:
    assert next_of(plan_of(), refused(), left) is None
    assert next_of(plan_of(), refused(retry_after="5"), 5.0) is None


def test_other_model_is_asked_where_there_is_no_time_for_a_pause() -> None:
    assert next_of(plan_of(fallbacks={"a": "b"}), refused(), 0.1) == NextAttempt(0.0, "b")


@pytest.mark.parametrize("status", [401, 429])
def test_other_key_is_tried_at_once_and_is_no_retry_of_the_model(status: int) -> None:
    plan = plan_of(retries=0)
    error = refused(status, retry_after="3600", x_should_retry="false")
    for _ in range(3):
        assert plan.after(error, 0.01, has_other_key=True) == NextAttempt(0.0)
    assert plan.after(error, AGES, has_other_key=False) is None
    assert plan.asked_again == 3


def test_all_pauses_are_left_once_the_last_key_was_tried() -> None:
    plan = plan_of(retries=1)
    assert plan.after(refused(429), AGES, has_other_key=True) == NextAttempt(0.0)
    assert plan.after(refused(429), AGES, has_other_key=False) == NextAttempt(FIRST_PAUSE_S)
    assert plan.after(refused(429), AGES, has_other_key=False) is None


@pytest.mark.parametrize("status", [400, 403, 404])
def test_other_key_does_not_help_with_other_errors(status: int) -> None:
    assert plan_of().after(refused(status), AGES, has_other_key=True) is None


def test_other_key_does_not_save_the_pause_after_a_server_error() -> None:
    assert plan_of().after(refused(500), AGES, has_other_key=True) == NextAttempt(FIRST_PAUSE_S)


@pytest.mark.parametrize(
    ("fallbacks", "model", "asked"),
    [
        ({}, "a", [None]),
        ({"a": "b"}, "a", [None, "b", None]),
        ({"a": "b", "b": "c"}, "a", [None, "b", None, "c", None]),
        ({"a": "a"}, "a", [None]),
        ({"a": "b", "b": "a"}, "a", [None, "b", None]),
        ({"a": "b", "b": "c", "c": "b"}, "a", [None, "b", None, "c", None]),
        ({"a": "b"}, "other", [None]),
        ({"a": "b"}, None, [None]),
    ],
    ids=str,
)
def test_models_are_asked_along_the_chain_each_once_with_its_own_retries(
    fallbacks: dict[str, str], model: str | None, asked: list[str | None]
) -> None:
    assert models_asked(plan_of(1, fallbacks, model), refused()) == asked


def test_pauses_begin_anew_with_each_model() -> None:
    plan = plan_of(2, {"a": "b"})
    pauses = []
    while (attempt := next_of(plan, refused())) is not None:
        pauses.append(attempt.pause_s)
    assert pauses == [0.5, 1.0, 0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (refused(401), 300.0),
        (refused(401, retry_after="5"), 300.0),
        (refused(429), 20.0),
        (refused(429, retry_after="0"), 20.0),
        (refused(429, retry_after="soon"), 20.0),
        (refused(429, retry_after="5"), 5.0),
        (refused(429, retry_after_ms="250"), 0.25),
        (refused(429, retry_after="Wed, 21 Oct 2015 07:29:00 GMT"), 60.0),
        (refused(429, retry_after="86400"), 300.0),
        (refused(429, retry_after="inf"), 300.0),
    ],
    ids=lambda value: str(getattr(value, "reply_headers", value)),
)
def test_refused_key_rests_as_long_as_the_upstream_says_within_reason(
    error: UpstreamRefused, seconds: float
) -> None:
    assert key_rest(error, NOW) == seconds
