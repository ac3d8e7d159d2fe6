"""TOKEN_RATE_LIMIT: the pace of a stream's events to one client. It slows, and never drops."""

from __future__ import annotations

import time

from sluice.completions.event_stream import each_event
from sluice.limit_values import route_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from sluice.deadline import Deadline
    from sluice.limit_values import RouteRates
    from sluice.stop_signal import StopSignal

    ItemT = TypeVar("ItemT")


class Pace:
    """Gives one item each `interval_s`, and the first one at once.

    pause: waits for so many seconds, and raises where waiting must end.
    """

    def __init__(
        self,
        interval_s: float,
        pause: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = interval_s
        self._pause = pause
        self._clock = clock
        self._next = 0.0

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """An event stream, one event at a time."""
        return self.items(each_event(chunks))

    def items(self, items: Iterable[ItemT]) -> Iterator[ItemT]:
        for item in items:
            wait_s = self._next - self._clock()
            if wait_s > 0:
                self._pause(wait_s)
            self._next = max(self._next, self._clock()) + self._interval_s
            yield item


def pace_of(
    path: str, routes: tuple[RouteRates, ...], deadline: Deadline, stop_signal: StopSignal | None
) -> Pace | None:
    """The pace of a path, which ends at the deadline and with the signal; None for no limit."""
    route = route_of(path, routes)
    if route is None or not route.rates:
        return None
    wait = time.sleep if stop_signal is None else stop_signal.wait

    def pause(seconds: float) -> None:
        wait(min(seconds, deadline.seconds_left()))
        deadline.seconds_left()

    return Pace(max(rate.seconds / rate.amount for rate in route.rates), pause)
