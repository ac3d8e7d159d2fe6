"""How one answer is ended from whichever thread finds that it must end."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.errors import SluiceError


class StopSignal:
    """One answer's: the first reason counts, and everybody who asked hears of it once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listeners: list[Callable[[SluiceError], None]] = []
        self.reason: SluiceError | None = None

    def stop(self, reason: SluiceError) -> None:
        """End the answer. From any thread; not from within a listener."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            self._stopped.set()
            for listener in self._listeners:
                listener(reason)

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises the reason as soon as there is one."""
        self._stopped.wait(seconds)
        if self.reason is not None:
            raise self.reason

    def listen(self, listener: Callable[[SluiceError], None]) -> None:
        """Call `listener` with the reason, at once where there is one already."""
        with self._lock:
            self._listeners.append(listener)
            if self.reason is not None:
                listener(self.reason)

    def forget(self, listener: Callable[[SluiceError], None]) -> None:
        """Do not call it any more, not even now: a call under way is waited for."""
        with self._lock:
            self._listeners.remove(listener)
