"""Looks now and then, while an answer is under way, whether its client still wants it.

A cancellation arrives as another message, and a client's leave as an event of its own: at other
execution environments than the one that answers. The store is where they meet.
"""

from __future__ import annotations

import threading

from sluice.errors import Cancelled, ConnectionGone, DeadlineReached, StateUnavailable
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from sluice.deadline import Deadline
    from sluice.errors import SluiceError
    from sluice.state.connections import ConnectionLook


class LookTimes(NamedTuple):
    """Seconds from look to look.

    A cancellation has to end an answer within two seconds: half of that is for its own way here.
    """

    first: float = 0.5  # most models have not begun, and short answers need no look at all
    next: float = 0.75


class CancellationWatch:
    """A context manager: looks from a thread of its own until it is left.

    look: asks the store, raises StateUnavailable. stop: called with Cancelled or ConnectionGone
    when the answer is to end.
    """

    def __init__(
        self,
        look: Callable[[], ConnectionLook],
        stop: Callable[[SluiceError], None],
        deadline: Deadline,
        times: LookTimes | None = None,
    ) -> None:
        self._look = look
        self._stop = stop
        self._deadline = deadline
        self._times = times or LookTimes()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cancellation", daemon=True)
        self.principal: str | None = None
        """Who asks, once the block has been left; None where that cannot be found out."""
        self.failure: StateUnavailable | None = None
        """Why a look failed, the last time one did."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        # What is kept for the last moment is for telling the client, not for waiting for a store.
        self._thread.join(self._seconds_left())
        if self.principal is None and self.failure is None and self._seconds_left():
            self._look_once()

    def _run(self) -> None:
        pause = self._times.first
        while not self._is_over.wait(pause) and self._seconds_left():
            look = self._look_once()
            if look is not None and (look.is_closed or look.is_cancelled):
                self._stop(_reason(look))
                return
            pause = self._times.next

    def _look_once(self) -> ConnectionLook | None:
        try:
            look = self._look()
        except StateUnavailable as error:
            self.failure = error
            return None
        self.principal = self.principal or look.principal
        return look

    def _seconds_left(self) -> float:
        try:
            return self._deadline.seconds_left()
        except DeadlineReached:
            return 0.0


def _reason(look: ConnectionLook) -> SluiceError:
    if look.is_closed:
        return ConnectionGone("The client has closed its connection.")
    return Cancelled("The client cancelled this request.")
