"""Looks at the store beside an answer: what they end, and when there is none."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import Cancelled, ConnectionGone, SluiceError, StateUnavailable
from sluice.state.connections import ConnectionLook, ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.cancellation_watch import CancellationWatch, LookTimes
from tests.sluice.deadlines import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 20.0
AT_ONCE = LookTimes(first=0.001, next=0.001)
NEVER = LookTimes(first=600, next=600)
NOTHING = ConnectionLook("ann", is_closed=False, is_cancelled=False)
CANCELLED = ConnectionLook("ann", is_closed=False, is_cancelled=True)
CLOSED = ConnectionLook("ann", is_closed=True, is_cancelled=False)
DOWN = StateUnavailable("down")
TIME_IS_OVER = Deadline(lambda: int(MARGIN_S * 1000))


class Looks:
    """A store that tells, look by look, what a test says; the last of it for ever."""

    def __init__(self, *outcomes: ConnectionLook | StateUnavailable) -> None:
        self._outcomes = list(outcomes)
        self.looked: queue.Queue[int] = queue.Queue()
        self.threads: list[str] = []

    def __call__(self) -> ConnectionLook:
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


@pytest.fixture
def state(tmp_path: Path) -> ConnectionState:
    return ConnectionState(SqliteState(str(tmp_path / "state.sqlite3")))


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda state: state.cancelled("c", "r", 5), Cancelled),
        (lambda state: state.closed("c"), ConnectionGone),
    ],
)
def test_end_that_is_written_while_an_answer_is_under_way_stops_it(
    state: ConnectionState, end: Callable[[ConnectionState], None], kind: type[SluiceError]
) -> None:
    stops = Stops()
    state.opened("c", "ann")
    with CancellationWatch(lambda: state.look("c", "r", 5), stops, FOREVER, AT_ONCE) as watch:
        end(state)
        assert stops.came.wait(PATIENCE_S)
    assert [type(reason) for reason in stops.reasons] == [kind]
    assert (watch.principal, watch.failure) == ("ann", None)


def test_what_was_cancelled_before_is_another_request(state: ConnectionState) -> None:
    stops, looks = Stops(), Looks(NOTHING)
    state.cancelled("c", "r", 4)

    def look() -> ConnectionLook:
        looks()
        return state.look("c", "r", 5)

    with CancellationWatch(look, stops, FOREVER, AT_ONCE):
        looks.wait_for(2)
    assert stops.reasons == []


def test_closed_connection_counts_more_than_a_cancellation() -> None:
    stops = Stops()
    both = ConnectionLook(None, is_closed=True, is_cancelled=True)
    with CancellationWatch(Looks(both), stops, FOREVER, AT_ONCE):
        assert stops.came.wait(PATIENCE_S)
    assert isinstance(stops.reasons[0], ConnectionGone)


def test_look_goes_on_until_there_is_a_reason_and_no_further() -> None:
    looks, stops = Looks(NOTHING, NOTHING, CANCELLED), Stops()
    with CancellationWatch(looks, stops, FOREVER, AT_ONCE):
        assert stops.came.wait(PATIENCE_S)
    assert (len(stops.reasons), len(looks.threads)) == (1, 3)


def test_who_asked_is_kept_though_a_later_look_does_not_say(state: ConnectionState) -> None:
    unknown = state.look("c", "r", 5)
    looks = Looks(NOTHING, unknown)
    with CancellationWatch(looks, Stops(), FOREVER, AT_ONCE) as watch:
        looks.wait_for(2)
    assert watch.principal == "ann"


def test_store_that_is_down_for_a_while_is_asked_again_and_its_failure_kept() -> None:
    looks, stops = Looks(DOWN, DOWN, NOTHING, CANCELLED), Stops()
    with CancellationWatch(looks, stops, FOREVER, AT_ONCE) as watch:
        assert stops.came.wait(PATIENCE_S)
    assert (watch.failure, watch.principal) == (DOWN, "ann")


def test_short_answer_looks_once_at_its_end_to_learn_who_asked() -> None:
    looks, stops = Looks(CANCELLED), Stops()
    with CancellationWatch(looks, stops, FOREVER, NEVER) as watch:
        pass
    assert watch.principal == "ann"
    assert looks.threads == [threading.current_thread().name]
    assert stops.reasons == []


def test_answer_that_was_looked_at_needs_no_look_at_its_end() -> None:
    looks = Looks(NOTHING)
    with CancellationWatch(looks, Stops(), FOREVER, AT_ONCE):
        looks.wait_for(1)
    assert set(looks.threads) == {"cancellation"}


@pytest.mark.parametrize("times", [AT_ONCE, NEVER])
def test_store_that_is_down_at_the_end_is_a_failure_and_no_error(times: LookTimes) -> None:
    looks = Looks(DOWN)
    with CancellationWatch(looks, Stops(), FOREVER, times) as watch:
        if times is AT_ONCE:
            looks.wait_for(2)
    assert (watch.principal, watch.failure) == (None, DOWN)
    assert (threading.current_thread().name in looks.threads) is (times is NEVER)


def test_no_look_is_begun_at_the_end_when_time_is_over() -> None:
    looks = Looks(NOTHING)
    with CancellationWatch(looks, Stops(), TIME_IS_OVER, NEVER) as watch:
        pass
    assert (looks.threads, watch.principal, watch.failure) == ([], None, None)


def test_no_look_is_begun_during_an_answer_when_time_is_over() -> None:
    asked = threading.Event()

    def no_time() -> int:
        asked.set()
        return 0

    looks = Looks(CANCELLED)
    with CancellationWatch(looks, Stops(), Deadline(no_time), AT_ONCE):
        assert asked.wait(PATIENCE_S)
    assert looks.threads == []


def test_thread_ends_with_the_block() -> None:
    looks = Looks(NOTHING)
    with CancellationWatch(looks, Stops(), FOREVER, AT_ONCE):
        looks.wait_for(1)
        names = [thread.name for thread in threading.enumerate()]
        assert "cancellation" in names
    assert "cancellation" not in [thread.name for thread in threading.enumerate()]


def test_error_leaves_the_block_as_it_is() -> None:
    looks = Looks(NOTHING)
    with pytest.raises(KeyError), CancellationWatch(looks, Stops(), FOREVER, NEVER) as watch:
        raise KeyError
    assert watch.principal == "ann"


def test_look_that_takes_longer_than_the_function_has_is_not_waited_for() -> None:
    begun, done = threading.Event(), threading.Event()

    def look() -> ConnectionLook:
        begun.set()
        assert done.wait(PATIENCE_S)
        return NOTHING

    remaining = [900_000]
    watch = CancellationWatch(look, Stops(), Deadline(lambda: remaining[0]), AT_ONCE)
    with watch:
        assert begun.wait(PATIENCE_S)
        remaining[0] = 0
    assert watch.principal is None
    done.set()


def test_cancellation_ends_an_answer_within_two_seconds() -> None:
    times = LookTimes()
    assert max(times.first, times.next) <= 1.0
