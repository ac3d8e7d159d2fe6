"""$default and sendmessage: a model request in, frames out.

API Gateway waits 29 seconds for an integration, so the function answers it at once. after_response
sends the model's answer, for as long as the function's timeout allows.
"""

from __future__ import annotations

import os
from functools import partial

import awslambda
from sluice.access.identity import Access
from sluice.aws.parameters import Parameters
from sluice.completions.asking import ModelAnswers
from sluice.deadline import Deadline
from sluice.key_ring import KeyRing, parameters_of
from sluice.settings import read_settings
from sluice.state.connections import connection_state
from sluice.state.opening import open_store
from sluice.trace import trace_of
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import read_targets
from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.events import parse_message
from sluice.websocket.gateway import WebSocketGateway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awslambda.context import LambdaContext

settings = read_settings(os.environ)
targets = read_targets(os.environ, settings)
parameters = Parameters(os.environ)
client = UpstreamClient(settings, targets, parameters)
forward_keys = KeyRing(settings.forward_keys, parameters)
store = open_store(settings, os.environ)
access = Access(settings, forward_keys, store)
gateway = WebSocketGateway(
    settings,
    ModelAnswers(settings, os.environ, client, targets[0], forward_keys, access),
    partial(
        ConnectionsClient, environ=os.environ, trusted_certificates=settings.trusted_certificates
    ),
    connection_state(store),
    access,
)
parameters.begin(parameters_of(targets[0].keys), meanwhile=partial(client.open_ahead, targets[0]))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    deadline = Deadline(context.get_remaining_time_in_millis)
    trace = trace_of(context, os.environ, parameters, store)
    awslambda.after_response(gateway.answer, parse_message(event), deadline, trace)
    awslambda.after_response(trace.send)
    return {"statusCode": 200}
