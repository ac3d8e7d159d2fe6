"""A clock that a test moves by hand: an hour passes in no time, and no second by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from local.clock import Clock


@dataclass(eq=False)
class _Timer:
    seconds: float
    due: float
    fire: Callable[[], None]


class HandClock(Clock):
    """Begins at the real time, for the sake of signatures, and then stands still."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))  # whole, so that sums of seconds are exact
        self._timers: list[_Timer] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        with self._timer(seconds, over.set):
            await over.wait()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as scope:
            with self._timer(seconds, lambda: scope.reschedule(0)):
                yield

    def advance(self, seconds: float) -> None:
        """Let so much time pass; who is due goes on in the next turns of the event loop."""
        self._now += seconds
        for timer in [timer for timer in self._timers if timer.due <= self._now]:
            self._timers.remove(timer)
            timer.fire()

    def is_armed(self, seconds: float) -> bool:
        """Return whether somebody waits who began to wait for so long."""
        return any(timer.seconds == seconds for timer in self._timers)

    async def armed(self, seconds: float) -> None:
        """Wait until somebody waits for so long."""
        await self._until(lambda: self.is_armed(seconds))

    async def disarmed(self, seconds: float) -> None:
        """Wait until nobody waits for so long any more."""
        await self._until(lambda: not self.is_armed(seconds))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    @contextmanager
    def _timer(self, seconds: float, fire: Callable[[], None]) -> Iterator[None]:
        timer = _Timer(seconds, self._now + seconds, fire)
        self._timers.append(timer)
        self._changed.set()
        try:
            yield
        finally:
            if timer in self._timers:
                self._timers.remove(timer)
            self._changed.set()
