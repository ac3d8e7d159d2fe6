"""Lets equal requests that come at once wait for the first one's answer."""

from __future__ import annotations

from threading import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.stop_signal import StopSignal


class SingleFlight:
    """The requests that are being answered, by key. Any thread may call any method."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._keys: set[str] = set()

    def begin(self, key: str) -> bool:
        """Whether this request is the first of its key; then it must call `end`."""
        with self._changed:
            is_first = key not in self._keys
            self._keys.add(key)
            return is_first

    def end(self, key: str) -> None:
        with self._changed:
            self._keys.discard(key)
            self._changed.notify_all()

    def wait(self, key: str, seconds: float, stop_signal: StopSignal | None = None) -> None:
        """Return when the first request of the key has ended, or after so many seconds.

        Raises the reason of the signal as soon as there is one.
        """
        if stop_signal is None:
            with self._changed:
                self._changed.wait_for(lambda: key not in self._keys, seconds)
            return
        stop_signal.listen(self._wake)
        try:
            with self._changed:
                self._changed.wait_for(
                    lambda: key not in self._keys or stop_signal.reason is not None, seconds
                )
        finally:
            stop_signal.forget(self._wake)
        if stop_signal.reason is not None:
            raise stop_signal.reason

    def _wake(self, _reason: object) -> None:
        with self._changed:
            self._changed.notify_all()
