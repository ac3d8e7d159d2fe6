"""The reason to stop an answer, passed from any thread to its listeners."""

from __future__ import annotations

import queue
import threading

import pytest

from sluice.errors import Cancelled, ConnectionGone, SluiceError
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S

CANCELLED, GONE = Cancelled("cancelled"), ConnectionGone("gone")


def test_first_reason_counts_and_reaches_each_listener_once() -> None:
    early, late, forgotten = list[SluiceError](), list[SluiceError](), list[SluiceError]()
    signal = StopSignal()
    signal.listen(early.append)
    signal.listen(forgotten.append)
    signal.forget(forgotten.append)
    assert (signal.reason, early) == (None, [])
    signal.stop(CANCELLED)
    signal.stop(GONE)
    signal.listen(late.append)
    assert (signal.reason, early, late, forgotten) == (CANCELLED, [CANCELLED], [CANCELLED], [])


def test_forgetting_waits_for_a_call_in_progress() -> None:
    called, may_return, forgotten = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def listener(_reason: SluiceError) -> None:
        called.set()
        assert may_return.wait(PATIENCE_S)
        order.append("returned")

    def forget() -> None:
        signal.forget(listener)
        order.append("forgotten")
        forgotten.set()

    signal = StopSignal()
    signal.listen(listener)
    stopper = threading.Thread(target=signal.stop, args=[CANCELLED])
    stopper.start()
    assert called.wait(PATIENCE_S)
    forgetter = threading.Thread(target=forget)
    forgetter.start()
    assert order == []
    may_return.set()
    assert forgotten.wait(PATIENCE_S)
    stopper.join(PATIENCE_S)
    forgetter.join(PATIENCE_S)
    assert order == ["returned", "forgotten"]


def test_one_of_many_stops_at_once_wins() -> None:
    heard: list[SluiceError] = []
    signal = StopSignal()
    signal.listen(heard.append)
    start = threading.Barrier(8)

    def stop(reason: SluiceError) -> None:
        start.wait(PATIENCE_S)
        signal.stop(reason)

    stoppers = [threading.Thread(target=stop, args=[Cancelled(str(n))]) for n in range(8)]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join(PATIENCE_S)
    assert heard == [signal.reason]


def test_pause_passes_without_a_reason_and_raises_one_that_came_before() -> None:
    signal = StopSignal()
    signal.wait(0)
    signal.stop(CANCELLED)
    with pytest.raises(Cancelled) as caught:
        signal.wait(PATIENCE_S)
    assert caught.value is CANCELLED


def test_pause_ends_with_a_reason() -> None:
    heard: queue.Queue[SluiceError] = queue.Queue()

    def pause() -> None:
        try:
            signal.wait(600)
        except SluiceError as error:
            heard.put(error)

    signal = StopSignal()
    waiter = threading.Thread(target=pause)
    waiter.start()
    signal.stop(GONE)
    assert heard.get(timeout=PATIENCE_S) is GONE
    waiter.join(PATIENCE_S)
