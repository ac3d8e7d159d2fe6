"""Whose a connection is, also while the store cannot say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.access.identity import Access
from sluice.authentication import Principal
from sluice.errors import StateUnavailable
from sluice.key_ring import KeyRing
from sluice.request_log import RequestLog
from sluice.settings import read_settings
from sluice.state.connections import ConnectionOwner, ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.owners import Owners

if TYPE_CHECKING:
    from pathlib import Path

LIMITED = {"GLOBAL_RATE_LIMIT": "1/minute"}
KEYS = {"WEBSOCKET_AUTH": "forward_key", "FORWARD_KEY": "fk-1-0123456789ab"}
CACHED = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}
OPEN, SIGNED = {"WEBSOCKET_AUTH": "none"}, {"WEBSOCKET_AUTH": "aws_iam"}


class World:
    """A store, and the owners that an environment reads from it."""

    def __init__(self, file: Path, environ: dict[str, str]) -> None:
        settings = read_settings(environ)
        store = SqliteState(str(file))
        self.state = ConnectionState(store)
        access = Access(settings, KeyRing(settings.forward_keys, str), store)
        self.owners = Owners(self.state, access)
        self.log = RequestLog("r", "websocket")

    def of(self, connection_id: str) -> Principal | None:
        return self.owners.of(connection_id, self.log)


@pytest.mark.parametrize(
    ("environ", "passes"),
    [
        (OPEN | LIMITED, True),
        (OPEN | CACHED, True),
        (SIGNED | LIMITED, True),
        (SIGNED | LIMITED | {"STORE_FAILURE": "refuse"}, False),
        (SIGNED | {"IAM_RECORDS": "true"}, False),
        (KEYS, False),
        (KEYS | LIMITED, False),
    ],
)
def test_unknown_connection_passes_only_where_none_has_a_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environ: dict[str, str], *, passes: bool
) -> None:
    (tmp_path / "folder").mkdir()
    world = World(tmp_path / "folder", environ)  # not a file: every call fails
    with world.log:
        if passes:
            assert world.of("c") is None
        else:
            with pytest.raises(StateUnavailable):
                world.of("c")
    assert ('"is_counted": false' in capsys.readouterr().out) is passes


def test_environment_knows_a_connection_that_it_has_answered(tmp_path: Path) -> None:
    world = World(tmp_path / "state.db", KEYS)
    owner = Principal("team", "key 1", has_record=True)
    world.state.opened("c", ConnectionOwner(*owner))
    assert world.of("c") == owner
    world.state.opened("c", ConnectionOwner("other", "key 2", has_record=True))
    assert world.of("c") == owner  # from memory: the store need not answer
