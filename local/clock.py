"""The clock of the emulators: reads the time and waits. Tests pass one they move by hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager


class Clock:
    """The machine's clock and the event loop's timers; every length is in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a block that raises TimeoutError when it takes longer than `seconds`."""
        return asyncio.timeout(seconds)
