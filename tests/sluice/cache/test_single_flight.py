"""Equal requests that come at once."""

from __future__ import annotations

import threading

import pytest

from sluice.cache.single_flight import SingleFlight
from sluice.errors import Cancelled
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S


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


def test_stop_signal_ends_a_wait() -> None:
    flights, signal = SingleFlight(), StopSignal()
    flights.begin("a")
    threading.Timer(0.01, signal.stop, [Cancelled("by the client")]).start()
    with pytest.raises(Cancelled):
        flights.wait("a", PATIENCE_S, signal)
    flights.end("a")
    flights.wait("a", PATIENCE_S, StopSignal())
