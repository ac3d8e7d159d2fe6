"""The end of an answer, told by any thread to whoever listens."""

from __future__ import annotations

import queue
import threading

import pytest

from sluice.errors import Cancelled, ConnectionGone, SluiceError
from sluice.stop_signal import StopSignal

PATIENCE_S = 20.0
CANCELLED, GONE = Cancelled("cancelled"), ConnectionGone("gone")


def test_nobody_has_a_reason_before_the_first() -> None:
    heard: list[SluiceError] = []
    signal = StopSignal()
    signal.listen(heard.append)
    assert (signal.reason, heard) == (None, [])


def test_first_reason_counts_and_is_heard_once() -> None:
    heard: list[SluiceError] = []
    signal = StopSignal()
    signal.listen(heard.append)
    signal.stop(CANCELLED)
    signal.stop(GONE)
    assert (signal.reason, heard) == (CANCELLED, [CANCELLED])


def test_every_listener_hears() -> None:
    one: list[SluiceError] = []
    two: list[SluiceError] = []
    signal = StopSignal()
    signal.listen(one.append)
    signal.listen(two.append)
    signal.stop(GONE)
    assert (one, two) == ([GONE], [GONE])


def test_late_listener_hears_at_once() -> None:
    heard: list[SluiceError] = []
    signal = StopSignal()
    signal.stop(CANCELLED)
    signal.listen(heard.append)
    assert heard == [CANCELLED]


def test_forgotten_listener_hears_nothing() -> None:
    forgotten: list[SluiceError] = []
    kept: list[SluiceError] = []
    signal = StopSignal()
    signal.listen(forgotten.append)
    signal.listen(kept.append)
    signal.forget(forgotten.append)
    signal.stop(CANCELLED)
    assert (forgotten, kept) == ([], [CANCELLED])


def test_listener_is_not_forgotten_before_a_call_under_way_has_returned() -> None:
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


def test_pause_without_a_reason_passes() -> None:
    StopSignal().wait(0)


def test_pause_that_begins_behind_a_reason_is_none() -> None:
    signal = StopSignal()
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
