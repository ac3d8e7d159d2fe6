"""Equal requests that come at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from sluice.cache.single_flight import SingleFlight
from sluice.errors import Cancelled
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.errors import SluiceError

TOO_LONG_S = 3600.0
"""A wait that ends by its time alone would end the test by its timeout."""


def test_first_request_of_a_key_leads_until_it_ends() -> None:
    flights = SingleFlight()
    assert [flights.begin("a"), flights.begin("a"), flights.begin("b")] == [True, False, True]
    flights.end("a")
    assert flights.begin("a")


def test_others_wait_until_the_first_ends() -> None:
    flights, passed = SingleFlight(), threading.Barrier(9)
    flights.begin("a")

    def wait() -> None:
        flights.wait("a", PATIENCE_S)
        passed.wait(PATIENCE_S)

    waiting = [threading.Thread(target=wait) for _ in range(8)]
    for thread in waiting:
        thread.start()
    assert passed.n_waiting == 0
    flights.end("a")
    passed.wait(PATIENCE_S)
    for thread in waiting:
        thread.join(PATIENCE_S)


def test_wait_ends_after_its_time_or_where_nothing_runs() -> None:
    flights = SingleFlight()
    flights.wait("a", PATIENCE_S)
    flights.begin("a")
    flights.wait("a", 0.001)
    assert not flights.begin("a")


class Signal(StopSignal):
    """Counts who listens."""

    listeners = 0

    def listen(self, listener: Callable[[SluiceError], None]) -> None:
        self.listeners += 1
        super().listen(listener)

    def forget(self, listener: Callable[[SluiceError], None]) -> None:
        super().forget(listener)
        self.listeners -= 1


def test_stop_signal_ends_a_wait() -> None:
    flights, signal = SingleFlight(), Signal()
    flights.begin("a")
    threading.Timer(0.01, signal.stop, [Cancelled("by the client")]).start()
    with pytest.raises(Cancelled):
        flights.wait("a", TOO_LONG_S, signal)
    flights.end("a")
    other = Signal()
    flights.wait("a", PATIENCE_S, other)
    assert signal.listeners == other.listeners == 0
