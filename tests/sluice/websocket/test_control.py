"""The routes cancel and ping, from a message to what is recorded and posted."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import ConnectionGone, PostFailed, PostForbidden, PostUnconfirmed
from sluice.settings import read_settings
from sluice.state.connections import ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.control import ControlGateway
from sluice.websocket.posting import BackOff
from tests.sluice.clocks import FOREVER
from tests.sluice.websocket.asking import AT_MS, Posts, message_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.errors import DeliveryError

PING = {"action": "ping"}
PONG = '{"type": "pong"}'
CANCEL = {"action": "cancel", "id": "7"}


class ControlBench:
    """Each message goes to a new gateway."""

    def __init__(self, capsys: pytest.CaptureFixture[str], state: ConnectionState | None) -> None:
        self._capsys = capsys
        self.state = state
        self.posts = Posts()

    def send(self, message: object, **environ: str) -> list[str]:
        settings, back_off = read_settings(environ), BackOff(sleep=lambda _seconds: None)
        gateway = ControlGateway(settings, self.posts.at, self.state, back_off)
        self.posts.frames.clear()
        gateway.answer(message_of(message), FOREVER)
        return list(self.posts.frames)

    def logged(self) -> dict[str, Any]:
        (line,) = self._capsys.readouterr().out.splitlines()
        fields: dict[str, Any] = json.loads(line)
        return fields

    @contextmanager
    def failing(self, *failures: DeliveryError) -> Iterator[None]:
        left = list(failures)

        def on_post(_frame: bytes) -> None:
            if left:
                raise left.pop(0)

        self.posts.on_post = on_post
        yield
        assert left == []


@pytest.fixture
def control(capsys: pytest.CaptureFixture[str], state: ConnectionState) -> ControlBench:
    return ControlBench(capsys, state)


def test_ping_is_answered_at_the_events_endpoint_unless_one_is_set(control: ControlBench) -> None:
    assert control.send(PING) == [PONG]
    fields = control.logged()
    assert fields.pop("total_ms") >= 0
    assert fields == {
        "request_id": "r-1",
        "transport": "websocket",
        "outcome": "ok",
        "connection_id": "c-1=",
        "kind": "ping",
    }
    assert control.send(PING, API_GW_ENDPOINT="http://127.0.0.1:3001/") == [PONG]
    assert control.posts.endpoints == ["https://abc.example.com/dev", "http://127.0.0.1:3001"]


def test_cancel_is_recorded_in_the_store_and_gets_no_reply(
    control: ControlBench, state: ConnectionState
) -> None:
    assert control.send(CANCEL) == []
    assert state.look("c-1=", "7", AT_MS).is_cancelled
    assert not state.look("c-1=", "7", AT_MS + 1).is_cancelled
    assert control.logged()["kind"] == "cancel"


def test_cancel_that_cannot_be_recorded_is_an_error_frame_with_its_id(
    control: ControlBench, tmp_path: Path
) -> None:
    for state in (None, ConnectionState(SqliteState(str(tmp_path)))):  # none, and a folder
        control.state = state
        (frame,) = map(json.loads, control.send(CANCEL))
        assert (frame["error"]["code"], frame["id"]) == ("state_unavailable", "7")
        assert control.logged()["outcome"] == "state_unavailable"


def test_other_messages_are_error_frames(control: ControlBench) -> None:
    for message, code, param in (
        ({"action": "cancel"}, "invalid_field", "id"),
        ({"action": "chat", "id": "7"}, "invalid_field", "action"),
        ("no json", "invalid_json", None),
    ):
        (frame,) = map(json.loads, control.send(message))
        assert (frame["error"]["code"], frame["error"]["param"]) == (code, param)
        fields = control.logged()
        assert (fields["kind"], fields["outcome"]) == ("unreadable", code)


def test_bug_is_an_error_frame_and_an_error_of_the_function(control: ControlBench) -> None:
    class BrokenState(ConnectionState):
        def cancelled(self, *_: object) -> None:
            raise KeyError("private")

    control.state = BrokenState(SqliteState(":memory:"))
    with pytest.raises(KeyError):
        control.send(CANCEL)
    (frame,) = map(json.loads, control.posts.frames)
    assert frame["error"]["code"] == "internal_error"
    fields = control.logged()
    assert (fields["outcome"], fields["cause"]) == ("internal_error", "KeyError")
    assert "private" not in json.dumps([frame, fields])


@pytest.mark.parametrize(
    ("failures", "frames", "outcome"),
    [
        ([PostFailed("429"), PostFailed("500")], [PONG], "ok"),
        ([PostUnconfirmed("half a reply")], [PONG], "delivery_failed"),
        ([PostForbidden("403")], [PONG], "post_forbidden"),
        ([ConnectionGone("410")], [], "connection_gone"),
    ],
)
def test_pong_is_posted_again_unless_the_client_is_gone(
    control: ControlBench, failures: list[DeliveryError], frames: list[str], outcome: str
) -> None:
    with control.failing(*failures):
        assert control.send(PING) == frames
    assert control.logged()["outcome"] == outcome
