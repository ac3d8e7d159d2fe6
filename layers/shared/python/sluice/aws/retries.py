"""Whether a failed request to AWS is sent again, and when (no I/O).

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

import os

from sluice.aws.errors import AwsMisconfigured, AwsRefused
from sluice.aws.json_protocol import FIRST_SERVER_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.aws.errors import AwsError

FIRST_PAUSE_S = 0.05  # doubles; AWS's own clients begin with it for DynamoDB
MAX_PAUSE_S = 1.0
TOO_MANY_REQUESTS = 429
THROTTLED = frozenset((
    "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "RequestTimeout", "RequestTimeoutException", "SlowDown",
    "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionConflictException", "TransactionInProgressException",
))  # fmt: skip
"""Codes of requests that AWS did not begin: they were too many, or came too slowly."""
SKEWED = frozenset((
    "InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
))  # fmt: skip
"""Codes of requests whose time of signing AWS may have rejected."""
LEAST_SKEW_S = 60.0
"""Clocks that differ by less are not the reason of a rejection: AWS accepts five minutes."""


def pause_before_retry(
    error: AwsError, failures: int, *, may_repeat: bool, random: Callable[[], float]
) -> float | None:
    """Seconds to wait before the next attempt; None: do not try again.

    failures: attempts that failed, 1 or more. may_repeat: whether the operation does no harm when
    AWS does it twice. random: returns 0 to 1, so that functions do not retry at the same moment.
    """
    if isinstance(error, AwsMisconfigured) or (error.may_be_done and not may_repeat):
        return None
    if isinstance(error, AwsRefused) and not _is_temporary(error):
        return None
    return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** (failures - 1))) * random()


def clock_skew(error: AwsError, signed_at: float) -> float | None:
    """How far AWS's clock is ahead of `signed_at`, if that explains the error."""
    if not isinstance(error, AwsRefused) or error.code not in SKEWED or not error.server_time:
        return None
    skew = error.server_time - signed_at
    return skew if abs(skew) >= LEAST_SKEW_S else None


def jitter() -> float:
    """0 to 1 at random, without the import of `random`."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def _is_temporary(error: AwsRefused) -> bool:
    is_throttled = error.code in THROTTLED or error.status == TOO_MANY_REQUESTS
    return is_throttled or error.status >= FIRST_SERVER_ERROR
