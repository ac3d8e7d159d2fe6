"""Looks at the store during an answer: what stops it, and what a failing store does."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import Cancelled, ConnectionGone, SluiceError, StateUnavailable
from sluice.state.connections import ConnectionLook
from sluice.websocket.cancellation_watch import CancellationWatch, LookTimes
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable


AT_ONCE = LookTimes(first=0.001, next=0.001)
NEVER = LookTimes(first=600, next=600)
UNKNOWN = ConnectionLook(None, is_closed=False, is_cancelled=False)
NOTHING = ConnectionLook("ann", is_closed=False, is_cancelled=False)
CANCELLED = ConnectionLook("ann", is_closed=False, is_cancelled=True)
BOTH = ConnectionLook("ann", is_closed=True, is_cancelled=True)
DOWN = StateUnavailable("down")


class Looks:
    """A store that gives these outcomes, look by look; the last one forever."""

    def __init__(self, *outcomes: ConnectionLook | StateUnavailable) -> None:
        self._outcomes = list(outcomes)
        self.looked: queue.Queue[int] = queue.Queue()
        self.threads: list[str] = []
        self.principals_read: list[bool] = []

    def __call__(self, *, with_principal: bool) -> ConnectionLook:
        self.principals_read.append(with_principal)
        self.threads.append(threading.current_thread().name)
        self.looked.put(len(self.threads))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, StateUnavailable):
            raise outcome
        return outcome

    def wait_for(self, number: int) -> None:
        while self.looked.get(timeout=PATIENCE_S) < number:
            pass


class Stops:
    """Keeps the reasons it is given."""

    def __init__(self) -> None:
        self.reasons: list[SluiceError] = []
        self.came = threading.Event()

    def __call__(self, reason: SluiceError) -> None:
        self.reasons.append(reason)
        self.came.set()


def watch_by(
    look: Callable[..., ConnectionLook],
    times: LookTimes = AT_ONCE,
    deadline: Deadline = FOREVER,
    stops: Stops | None = None,
) -> CancellationWatch:
    return CancellationWatch(look, stops or Stops(), deadline, times)


@pytest.mark.parametrize(
    ("outcomes", "kind", "failure"),
    [
        ([NOTHING, NOTHING, CANCELLED], Cancelled, None),
        ([BOTH], ConnectionGone, None),
        ([DOWN, DOWN, NOTHING, CANCELLED], Cancelled, DOWN),
    ],
    ids=["cancelled", "closed as well", "down for a while"],
)
def test_looks_go_on_until_there_is_a_reason_and_no_further(
    outcomes: list[ConnectionLook | StateUnavailable],
    kind: type[SluiceError],
    failure: StateUnavailable | None,
) -> None:
    looks, stops = Looks(*outcomes), Stops()
    with watch_by(looks, stops=stops) as watch:
        assert stops.came.wait(PATIENCE_S)
    assert [type(reason) for reason in stops.reasons] == [kind]
    assert len(looks.threads) == len(outcomes)
    assert (watch.principal, watch.failure) == ("ann", failure)


def test_principal_is_read_until_it_is_known() -> None:
    looks = Looks(UNKNOWN, DOWN, NOTHING, UNKNOWN)
    with watch_by(looks) as watch:
        looks.wait_for(4)
    assert watch.principal == "ann"
    assert looks.principals_read[:4] == [True, True, True, False]
    assert set(looks.threads) == {"cancellation"}


def test_answer_that_is_over_before_the_first_look_needs_none() -> None:
    looks, stops = Looks(CANCELLED), Stops()
    with watch_by(looks, NEVER, stops=stops) as watch:
        pass
    assert (watch.principal, looks.threads, stops.reasons) == (None, [], [])


def test_store_that_is_down_is_a_failure_and_not_an_error() -> None:
    looks = Looks(DOWN)
    with watch_by(looks) as watch:
        looks.wait_for(2)
    assert (watch.principal, watch.failure) == (None, DOWN)


def test_no_look_begins_when_time_is_up() -> None:
    read, looks = threading.Event(), Looks(CANCELLED)

    def no_time() -> int:
        read.set()
        return int(MARGIN_S * 1000)

    with watch_by(looks, deadline=Deadline(no_time)) as watch:
        assert read.wait(PATIENCE_S)
    assert (looks.threads, watch.principal, watch.failure) == ([], None, None)


def test_thread_ends_with_the_block_whatever_ends_that() -> None:
    looks = Looks(NOTHING)
    with pytest.raises(KeyError), watch_by(looks) as watch:  # noqa: PT012 -- what is in the block counts
        looks.wait_for(1)
        assert "cancellation" in [thread.name for thread in threading.enumerate()]
        raise KeyError
    assert watch.principal == "ann"
    assert "cancellation" not in [thread.name for thread in threading.enumerate()]


def test_look_that_takes_longer_than_the_function_has_is_not_waited_for() -> None:
    begun, done = threading.Event(), threading.Event()

    def look(*, with_principal: bool) -> ConnectionLook:
        assert with_principal
        begun.set()
        assert done.wait(PATIENCE_S)
        return NOTHING

    remaining = [900_000]
    with watch_by(look, deadline=Deadline(lambda: remaining[0])) as watch:
        assert begun.wait(PATIENCE_S)
        remaining[0] = 0
    assert watch.principal is None
    done.set()


def test_cancellation_stops_an_answer_within_two_seconds() -> None:
    times = LookTimes()
    assert max(times.first, times.next) <= 1.0
