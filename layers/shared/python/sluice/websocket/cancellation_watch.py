"""Polls, during an answer, whether its client has cancelled it or disconnected.

A cancellation is another message and a disconnect another event: other execution environments
receive them. They leave a record in the store.
"""

from __future__ import annotations

import threading

from sluice.errors import Cancelled, ConnectionGone, StateUnavailable
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, Self

    from sluice.deadline import Deadline
    from sluice.errors import SluiceError
    from sluice.state.connections import ConnectionLook

    class Look(Protocol):
        def __call__(self, *, with_principal: bool) -> ConnectionLook: ...


class LookTimes(NamedTuple):
    """Seconds between looks at the store.

    A cancellation must stop an answer within two seconds; half of that is for its way to the store.
    """

    first: float = 0.5  # most models have not begun, and short answers need no look
    next: float = 0.75


class CancellationWatch:
    """A context manager that looks at the store from its own thread until its block ends.

    look: reads the store, without the principal once that is known; raises StateUnavailable. stop:
    called with Cancelled or ConnectionGone.
    """

    def __init__(
        self,
        look: Look,
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
        """Who sent the message; None if there was no look, or the store does not say."""
        self.failure: StateUnavailable | None = None
        """Why the last failed look failed."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        # The margin of the deadline is for the client, not for a slow store.
        self._thread.join(self._deadline.seconds_left_or_zero())

    def _run(self) -> None:
        pause = self._times.first
        while not self._is_over.wait(pause) and self._deadline.seconds_left_or_zero():
            look = self._look_once()
            if look is not None and (look.is_closed or look.is_cancelled):
                self._stop(_reason(look))
                return
            pause = self._times.next

    def _look_once(self) -> ConnectionLook | None:
        try:
            look = self._look(with_principal=self.principal is None)
        except StateUnavailable as error:
            self.failure = error
            return None
        self.principal = self.principal or look.principal
        return look


def _reason(look: ConnectionLook) -> SluiceError:
    if look.is_closed:
        return ConnectionGone("The client has disconnected.")
    return Cancelled("The client cancelled this request.")
