"""How long a client waits before its answer counts as silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.cases import Case

SILENCE_S = 30.0
"""Time without an end or an error, in seconds, after which an answer is silent. The longest wait of
the service in a campaign is for a silent provider: 5 s. The rest is for a busy machine."""
EXPECTED_SILENCE_S = 2.0
"""The same, in seconds, where silence is documented."""


@asynccontextmanager
async def patience(case: Case) -> AsyncIterator[None]:
    """Raise TimeoutError when the client has waited too long."""
    async with asyncio.timeout(SILENCE_S) as limit:
        case.hurry = lambda: _shorten(limit)
        try:
            yield
        finally:
            case.hurry = lambda: None


def _shorten(limit: asyncio.Timeout) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + EXPECTED_SILENCE_S)
