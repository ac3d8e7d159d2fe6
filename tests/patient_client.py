"""A client of WebSockets that waits for as long as other tests may fill the machine."""

from __future__ import annotations

from functools import partial

from websockets.sync import client

from tests.running_stack import PATIENCE_S

connect = partial(client.connect, open_timeout=PATIENCE_S, ping_timeout=PATIENCE_S)
