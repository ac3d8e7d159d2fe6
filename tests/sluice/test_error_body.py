"""Errors as clients see them: what a frame says that headers say elsewhere."""

from __future__ import annotations

import json

import pytest

from sluice.access.errors import BudgetSpent, RateLimited
from sluice.error_body import websocket_frame
from sluice.errors import Cancelled, SluiceError, UpstreamRefused

LEFT = {"x-ratelimit-remaining-requests": "0"}
BUSY = {"retry-after": "7", "x-ratelimit-limit-tokens": "9", "x-request-id": "r"}


def refused(headers: dict[str, str], body: bytes) -> UpstreamRefused:
    return UpstreamRefused(429, headers, body, None)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (RateLimited("", "requests", 1500), {"retry-after": "2", "retry-after-ms": "1500", **LEFT}),
        (RateLimited("", "tokens", None), {"x-should-retry": "false", **LEFT}),
        (BudgetSpent(""), {"x-should-retry": "false", **LEFT}),
        (refused(BUSY, b"{}"), {"retry-after": "7", "x-ratelimit-limit-tokens": "9", **LEFT}),
        (refused(BUSY, b""), {"retry-after": "7", "x-ratelimit-limit-tokens": "9", **LEFT}),
        (refused({"x-ratelimit-limit-tokens": "9"}, b"{}"), None),
        (Cancelled(""), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_frame_says_when_to_come_back(error: SluiceError, headers: dict[str, str] | None) -> None:
    error.own_headers = {**LEFT, "x-sluice-cache": "MISS"}
    for client_id in (None, "7"):
        frame = json.loads(websocket_frame(error, (), "r-1", client_id))
        extra: dict[str, object] = {"headers": headers} if headers else {}
        extra |= {"id": client_id} if client_id else {}
        assert frame == {"error": error.document(), "requestId": "r-1", **extra}
