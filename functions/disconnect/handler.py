"""$disconnect: end the answers that still run on the connection."""

from __future__ import annotations

import os

import awslambda
from sluice.settings import read_settings
from sluice.state.connections import connection_state
from sluice.state.opening import open_store
from sluice.trace import trace_of
from sluice.websocket.admission import record_closed
from sluice.websocket.events import parse_disconnect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awslambda.context import LambdaContext

store = open_store(read_settings(os.environ), os.environ)
state = connection_state(store)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    trace = trace_of(context, os.environ, store)
    awslambda.after_response(record_closed, parse_disconnect(event), state, trace)
    awslambda.after_response(trace.send)
    return {"statusCode": 200}
