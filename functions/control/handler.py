"""cancel and ping, with capacity of their own: every place of `default` may hold an answer."""

from __future__ import annotations

import os
from functools import partial

import awslambda
from sluice.deadline import Deadline
from sluice.settings import read_settings
from sluice.state.connections import connection_state
from sluice.state.opening import open_store
from sluice.trace import trace_of
from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.control import ControlGateway
from sluice.websocket.events import parse_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awslambda.context import LambdaContext

settings = read_settings(os.environ)
connect = partial(
    ConnectionsClient, environ=os.environ, trusted_certificates=settings.trusted_certificates
)
store = open_store(settings, os.environ)
gateway = ControlGateway(settings, connect, connection_state(store))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    deadline = Deadline(context.get_remaining_time_in_millis)
    trace = trace_of(context, os.environ, store)
    awslambda.after_response(gateway.answer, parse_message(event), deadline, trace)
    awslambda.after_response(trace.send)
    return {"statusCode": 200}
