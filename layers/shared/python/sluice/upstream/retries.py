"""Whether a request that failed before its first byte is retried: when, and with which model.

No I/O: what has happened comes in, what to do next comes out. Once a byte has gone to the client
nothing is asked again.
"""

from __future__ import annotations

from sluice.errors import (
    UpstreamBroken,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.errors import SluiceError

UNAUTHORIZED, TOO_MANY_REQUESTS = 401, 429
KEY_STATUSES = (UNAUTHORIZED, TOO_MANY_REQUESTS)  # another key may work, and at once
RETRIED_STATUSES = (408, 409, TOO_MANY_REQUESTS)  # and every 5xx: what OpenAI's own clients retry
FIRST_SERVER_ERROR = 500
FIRST_PAUSE_S = 0.5  # doubles; OpenAI's own clients begin with it
MAX_PAUSE_S = 8.0
MAX_RETRY_AFTER_S = 20.0
"""Maximum Retry-After that is obeyed, in seconds. For a longer one, the client gets the error at
once, with its Retry-After."""
REFUSED_KEY_REST_S = 300.0  # a revoked key does not come back by itself
BUSY_KEY_REST_S = 20.0  # rate limits count per minute; Retry-After is more exact
MAX_KEY_REST_S = 300.0  # an upstream that says "tomorrow" may be wrong


class NextAttempt(NamedTuple):
    """Retry in `pause_s` seconds, with another model unless `model` is None."""

    pause_s: float
    model: str | None = None


class RetryPlan:
    """Decides for one request.

    retries: for each model. fallbacks: the fallback model of each model. random: returns 0 to 1, so
    that gateways do not retry at the same moment.
    """

    def __init__(
        self,
        retries: int,
        fallbacks: Mapping[str, str],
        model: str | None,
        random: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._retries = retries
        self._fallbacks = fallbacks
        self._model = model
        self._random = random
        self._clock = clock
        self._failures = 0
        self._models: list[str | None] = []
        self.asked_again = 0
        """Number of retries so far, with any model and key."""

    def after(
        self, error: SluiceError, seconds_left: float, *, has_other_key: bool
    ) -> NextAttempt | None:
        """What to do after a failure; None: send the error to the client.

        has_other_key: there is one that has not been tried for this request.
        """
        attempt = self._next(error, seconds_left, has_other_key=has_other_key)
        self.asked_again += attempt is not None
        return attempt

    def _next(
        self, error: SluiceError, seconds_left: float, *, has_other_key: bool
    ) -> NextAttempt | None:
        status = error.reply_status if isinstance(error, UpstreamRefused) else None
        if has_other_key and status in KEY_STATUSES:
            return NextAttempt(0.0)
        if not _is_temporary(error):
            return None
        pause = self._pause(error)
        if self._failures < self._retries and pause is not None and pause < seconds_left:
            self._failures += 1
            return NextAttempt(pause)
        return self._fall_back()

    def _pause(self, error: SluiceError) -> float | None:
        """Seconds to wait, or None if the upstream asks for too many."""
        wanted = retry_after(error, self._clock())
        if wanted > 0:
            return wanted if wanted <= MAX_RETRY_AFTER_S else None
        return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)) * self._random()

    def _fall_back(self) -> NextAttempt | None:
        self._models.append(self._model)
        other = self._fallbacks.get(self._model or "")
        if other is None or other in self._models:
            return None
        self._model = other
        self._failures = 0
        return NextAttempt(0.0, other)


def jitter() -> float:
    """0 to 1 at random, so that functions do not retry all at once."""
    from random import random  # noqa: PLC0415 -- only failures need it

    return random()  # noqa: S311 -- no secret


def retry_after(error: SluiceError, now: float) -> float:
    """The seconds that an upstream asks to wait; 0.0 if it names none, or a moment in the past.

    now: seconds since 1970. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after;
    retry-after-ms is OpenAI's own.
    """
    headers = error.reply_headers if isinstance(error, UpstreamRefused) else {}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    if "retry-after" not in headers:
        return 0.0
    from sluice.http.dates import http_date  # noqa: PLC0415 -- see there

    return max(0.0, http_date(headers["retry-after"]) - now)


def key_rest(error: UpstreamRefused, now: float) -> float:
    """Seconds during which other keys are used, if there are any. now: seconds since 1970."""
    if error.reply_status == UNAUTHORIZED:
        return REFUSED_KEY_REST_S
    return min(retry_after(error, now) or BUSY_KEY_REST_S, MAX_KEY_REST_S)


def _is_temporary(error: SluiceError) -> bool:
    """Whether a retry may succeed."""
    if isinstance(error, UpstreamUnreachable | UpstreamBroken):
        return not isinstance(error, UpstreamUntrusted | UpstreamInvalid)
    if not isinstance(error, UpstreamRefused):
        return False
    should_retry = error.reply_headers.get("x-should-retry")
    if should_retry in ("true", "false"):
        return should_retry == "true"
    return error.reply_status in RETRIED_STATUSES or error.reply_status >= FIRST_SERVER_ERROR
