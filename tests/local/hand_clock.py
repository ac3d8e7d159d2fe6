"""A clock that a test moves by hand: an hour passes in no time, and no second by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.clock import Clock


@dataclass(eq=False)
class HandTimer:
    seconds: float
    due: float
    callback: Callable[[], None]
    clock: HandClock

    def cancel(self) -> None:
        self.clock.remove(self)


class HandClock(Clock):
    """Begins at the real time, for the sake of signatures, and then stands still."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))  # whole, so that sums of seconds are exact
        self._timers: list[HandTimer] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        timer = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> HandTimer:
        timer = HandTimer(seconds, self._now + seconds, callback, self)
        self._timers.append(timer)
        self._changed.set()
        return timer

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as scope:
            timer = self.call_later(seconds, lambda: scope.reschedule(0))
            try:
                yield
            finally:
                timer.cancel()

    def remove(self, timer: HandTimer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
        self._changed.set()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; what is due continues in the next turns of the event loop."""
        self._now += seconds
        for timer in [timer for timer in self._timers if timer.due <= self._now]:
            self._timers.remove(timer)
            timer.callback()

    def is_armed(self, seconds: float) -> bool:
        """Return whether a timer of `seconds` runs."""
        return any(timer.seconds == seconds for timer in self._timers)

    async def armed(self, seconds: float) -> None:
        """Wait until a timer of `seconds` runs."""
        await self._until(lambda: self.is_armed(seconds))

    async def disarmed(self, seconds: float) -> None:
        """Wait until no timer of `seconds` runs."""
        await self._until(lambda: not self.is_armed(seconds))

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
