"""What is known about connections, in any order of writing."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from sluice.errors import StateUnavailable
from sluice.settings import read_settings
from sluice.state.connections import (
    ENDED_KEPT_S,
    OPENED_KEPT_S,
    ConnectionLook,
    ConnectionOwner,
    ConnectionState,
    connection_state,
)
from sluice.state.opening import open_store
from sluice.state.sqlite import SqliteState
from tests.sluice.clocks import HandClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTHING = ConnectionLook(principal=None, is_closed=False, is_cancelled=False)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def state(tmp_path: Path, clock: HandClock) -> ConnectionState:
    return ConnectionState(SqliteState(str(tmp_path / "state.sqlite3"), clock), clock)


OWNER = ConnectionOwner("p", "key abc", has_record=True)


def test_unknown_connection_is_neither_closed_nor_cancelled(state: ConnectionState) -> None:
    assert state.look("c", "r", 1) == NOTHING
    assert state.look("c", None, 1) == NOTHING


def test_principal_is_who_opened_it(state: ConnectionState) -> None:
    state.opened("c", ConnectionOwner("arn:aws:iam::123456789012:user/jörg"))
    assert state.look("c", None, 1).principal == "arn:aws:iam::123456789012:user/jörg"
    assert state.look("another", None, 1) == NOTHING


def test_owner_is_who_opened_it(state: ConnectionState) -> None:
    state.opened("c", OWNER)
    assert state.owner("c") == OWNER
    assert state.owner("another") is None


RECORDS: list[Callable[[ConnectionState, str], object]] = [
    lambda state, connection_id: state.opened(connection_id, OWNER),
    lambda state, connection_id: state.closed(connection_id),
    lambda state, connection_id: state.cancelled(connection_id, "r", 5),
]


def test_records_may_come_in_any_order(state: ConnectionState) -> None:
    for number, order in enumerate(permutations(RECORDS)):
        connection_id = f"c{number}"
        for record in order:
            record(state, connection_id)
        look = state.look(connection_id, "r", 5)
        assert look == ConnectionLook("p", is_closed=True, is_cancelled=True)


def test_closing_one_connection_closes_no_other(state: ConnectionState) -> None:
    state.closed("c")
    assert state.look("c", "r", 1) == ConnectionLook(None, is_closed=True, is_cancelled=False)
    assert state.look("c2", "r", 1) == NOTHING


def test_cancellation_counts_for_requests_sent_before_it(state: ConnectionState) -> None:
    for at_ms in (1000, 2000):  # an id may be used and cancelled again
        state.cancelled("c", "r", at_ms)
        for since_ms in (0, at_ms - 1, at_ms):
            assert state.look("c", "r", since_ms).is_cancelled
        assert not state.look("c", "r", at_ms + 1).is_cancelled


def test_request_without_an_id_cannot_be_cancelled(state: ConnectionState) -> None:
    state.cancelled("c", "", 1000)
    assert not state.look("c", None, 1).is_cancelled
    assert state.look("c", "", 1).is_cancelled


def test_cancellation_is_for_one_request_on_one_connection(state: ConnectionState) -> None:
    strange_ids = [
        "", " ", "x", "x y", "c x", "opened c", "\x00", "\ud800", "\udfff", "é", "e\u0301",
        "🙂" * 256, "🙂" * 255 + "🙃",
    ]  # fmt: skip
    for number, request_id in enumerate(strange_ids):
        state.cancelled(f"c{number}", request_id, 1000)
        cancelled = [
            (connection_id, other)
            for connection_id in (f"c{number}", f"c{number} x", "")
            for other in strange_ids
            if state.look(connection_id, other, 1).is_cancelled
        ]
        assert cancelled == [(f"c{number}", request_id)]


def test_connection_is_known_for_its_life_and_its_last_answer(
    state: ConnectionState, clock: HandClock
) -> None:
    state.opened("c", OWNER)
    clock.now += 2 * 3600 + 15 * 60 - 1
    assert state.look("c", None, 1).principal == "p"
    clock.now += 2
    assert state.look("c", None, 1) == NOTHING
    assert OPENED_KEPT_S == 2 * 3600 + 15 * 60


def test_end_is_known_for_longer_than_the_longest_answer(
    state: ConnectionState, clock: HandClock
) -> None:
    state.closed("c")
    state.cancelled("c", "r", 1000)
    clock.now += 15 * 60 + 60
    assert state.look("c", "r", 1) == ConnectionLook(None, is_closed=True, is_cancelled=True)
    clock.now += ENDED_KEPT_S
    assert state.look("c", "r", 1) == NOTHING


def test_every_method_reports_an_unusable_store(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "file").touch()
    state = ConnectionState(SqliteState(str(tmp_path / "file" / "state"), clock), clock)
    for record in RECORDS:
        with pytest.raises(StateUnavailable):
            record(state, "c")
    with pytest.raises(StateUnavailable):
        state.look("c", "r", 1)


def test_settings_without_a_store_have_no_state() -> None:
    assert connection_state(open_store(read_settings({}), {})) is None


def test_state_in_a_file_is_shared(tmp_path: Path) -> None:
    settings = read_settings({"STATE_FILE": str(tmp_path / "state.sqlite3")})
    here, elsewhere = (connection_state(open_store(settings, {})) for _ in range(2))
    assert here is not None
    assert elsewhere is not None
    here.opened("c", OWNER)
    assert elsewhere.look("c", None, 1).principal == "p"
