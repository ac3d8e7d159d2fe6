"""The Function URL: an OpenAI-compatible API, streamed."""

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
from sluice.state.opening import open_store
from sluice.trace import trace_of
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import read_targets
from sluice.url.events import parse_url_request
from sluice.url.gateway import UrlGateway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awslambda import ResponseStream
    from awslambda.context import LambdaContext

settings = read_settings(os.environ)
targets = read_targets(os.environ, settings)
parameters = Parameters(os.environ)
client = UpstreamClient(settings, targets, parameters)
forward_keys = KeyRing(settings.forward_keys, parameters)
store = open_store(settings, os.environ)
access = Access(settings, forward_keys, store)
answers = ModelAnswers(settings, os.environ, client, targets[0], forward_keys, access)
gateway = UrlGateway(settings, answers, targets, forward_keys, access)
admitting = [settings.forward_keys] if settings.function_url_auth == "none" else []
parameters.begin(
    parameters_of(*admitting, *(target.keys for target in targets)),
    meanwhile=partial(client.open_ahead, targets[0]),
)


@awslambda.streamify_response
def handler(event: dict[str, Any], response_stream: ResponseStream, context: LambdaContext) -> None:
    trace = trace_of(context, os.environ, parameters, store)
    awslambda.after_response(trace.send)
    try:
        gateway.answer(
            parse_url_request(event),
            partial(awslambda.HttpResponseStream.from_, response_stream),
            Deadline(context.get_remaining_time_in_millis),
            trace,
        )
    except BaseException:
        trace.send()  # nothing runs after a failed answer
        raise
