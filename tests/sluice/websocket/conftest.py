"""What several tests of the WebSocket need: a gateway, a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.state.connections import ConnectionState
from sluice.state.sqlite import SqliteState
from tests.sluice.websocket.asking import WebSocketBench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripted_upstream import ScriptedUpstream


@pytest.fixture
def bench(upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]) -> WebSocketBench:
    return WebSocketBench(upstream, capsys)


@pytest.fixture
def state(tmp_path: Path) -> ConnectionState:
    return ConnectionState(SqliteState(str(tmp_path / "state.sqlite3")))
