"""$connect: accept or refuse a client."""

from __future__ import annotations

import os

import awslambda
from sluice.access.identity import Access
from sluice.aws.parameters import Parameters
from sluice.key_ring import KeyRing, parameters_of
from sluice.settings import read_settings
from sluice.state.connections import connection_state
from sluice.state.opening import open_store
from sluice.trace import trace_of
from sluice.websocket.admission import admit, record_opened
from sluice.websocket.events import parse_connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awslambda.context import LambdaContext

settings = read_settings(os.environ)
parameters = Parameters(os.environ)
forward_keys = KeyRing(settings.forward_keys, parameters)
store = open_store(settings, os.environ)
state = connection_state(store)
access = Access(settings, forward_keys, store)
if settings.websocket_auth == "forward_key":
    parameters.begin(parameters_of(settings.forward_keys))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, trace = parse_connect(event), trace_of(context, os.environ, parameters, store)
    admission = admit(request, settings, access, state, trace)
    if state is not None and admission.principal is not None and not admission.is_recorded:
        # After the answer: clients do not wait for the store.
        awslambda.after_response(record_opened, request, admission.principal, state, trace)
    awslambda.after_response(trace.send)
    return admission.answer
