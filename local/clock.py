"""Time as the emulators need it: what it is, and to wait for it. Tests pass one that they move."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Clock(Protocol):
    """All that may know or wait for the time; every length is in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when so much time has passed."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a block that is cancelled after so much time and then raises TimeoutError."""
        ...


class LoopClock:
    """The machine's clock and the event loop's timers."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return when so much time has passed."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a block that is cancelled after so much time and then raises TimeoutError."""
        return asyncio.timeout(seconds)
