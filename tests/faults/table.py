"""Every fault of the campaign: where it strikes, what it does, and what it may lead to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.faults.cases import (
    ALWAYS,
    ANSWER,
    CONNECT_EVENT,
    CONNECTION,
    EVENT,
    STREAMED,
    URL,
    WEBSOCKET,
    Border,
    Fault,
    Way,
)
from tests.faults.connections import Post, status
from tests.faults.model import Reply
from tests.faults.oracle import HONEST, Verdict
from tests.faults.processes import Exchange
from tests.faults.url_client import UrlRequest
from tests.faults.websocket_client import Message

HEALED = frozenset({Verdict.WHOLE})
"""The client notices nothing."""
LEAVES = frozenset({Verdict.WHOLE, Verdict.LEFT})
MAY_DOUBLE = HONEST | {Verdict.DOUBLED}
"""The frame was taken, but its sender cannot know: it may send the frame again."""
MAY_BE_SILENT = HONEST | {Verdict.SILENT}
"""Nobody is left who could report the failure."""
CHAT = frozenset({Way.CHAT})

NO_FAULT = Fault(Border.NONE, "none", leads_to=HEALED)

_upstream = partial(Fault, Border.UPSTREAM, times=ALWAYS)
_r = Reply
_begun = (_r.head, _r.some)
_ended = (_r.head, _r.rest, _r.finish)
_BEFORE_THE_ANSWER = {
    "resets before its head": (_r.reset,),
    "closes before its head": (_r.close,),
    "resets in its head": (_r.half_head, _r.reset),
    "replies with a status worth a retry": (_r.retry_status,),
}
UPSTREAM = (
    *(
        _upstream(f"{name}, once", steps, HEALED, times=1)
        for name, steps in _BEFORE_THE_ANSWER.items()
    ),
    *(_upstream(f"{name}, each time", steps) for name, steps in _BEFORE_THE_ANSWER.items()),
    _upstream(
        "refuses the connection", ways=frozenset({Way.URL_EVENTS, Way.URL_JSON}), moment=CONNECTION
    ),
    _upstream("closes in its head", (_r.half_head, _r.close)),
    _upstream("replies with a final status", (_r.final_status,)),
    _upstream("redirects", (_r.redirect,)),
    _upstream("is silent before its head", (_r.silence,)),
    _upstream("is silent in its head", (_r.half_head, _r.silence)),
    _upstream("sends garbage", (_r.garbage, _r.close)),
    _upstream("has two lengths", (_r.two_lengths, _r.close)),
    _upstream("has a negative length", (_r.negative_length, _r.close)),
    _upstream("has an empty body", (_r.empty,)),
    _upstream("closes before the length it promised", (_r.too_short, _r.close)),
    _upstream("resets in the answer", (*_begun, _r.reset)),
    _upstream("closes in the answer", (*_begun, _r.close)),
    _upstream("resets in an event", (*_begun, _r.half_part, _r.reset)),
    _upstream("closes in an event", (*_begun, _r.half_part, _r.close)),
    _upstream("closes in a chunk", (*_begun, _r.half_chunk, _r.close)),
    _upstream("ends the body in an event", (*_begun, _r.half_part, _r.last_chunk)),
    _upstream("ends the body without [DONE]", (*_begun, _r.last_chunk)),
    _upstream("is silent in the answer", (*_begun, _r.silence)),
    _upstream("is silent in an event", (*_begun, _r.half_part, _r.silence)),
    _upstream("has an invalid chunk size", (*_begun, _r.wrong_chunk, _r.close)),
    _upstream("has a chunk longer than its size", (*_begun, _r.too_long_chunk, _r.close)),
    _upstream("sends an error event", (*_begun, _r.error_event, _r.last_chunk), ways=STREAMED),
    _upstream("sends an event without JSON", (*_begun, _r.no_json, _r.last_chunk), ways=STREAMED),
    _upstream("leaves out [DONE]", (_r.head, _r.rest, _r.finish_without_done, _r.last_chunk)),
    _upstream("drips", (_r.dripped,), HEALED),
    _upstream("ends its body by closing", (_r.until_closed, _r.close), HEALED),
    _upstream("closes after [DONE]", (*_ended, _r.close), HEALED, STREAMED),
    _upstream("resets after [DONE]", (*_ended, _r.settle, _r.reset), HEALED, STREAMED),
    _upstream("is silent after [DONE]", (*_ended, _r.silence), HEALED, STREAMED),
)

_connections = partial(Fault, Border.CONNECTIONS, ways=WEBSOCKET)
_p = Post
CONNECTIONS = (
    _connections("closes before it takes the frame", (_p.close,), HEALED),
    _connections("resets before it takes the frame", (_p.reset,), HEALED),
    _connections("replies with 429, twice", (status(429),), HEALED, times=2),
    _connections("replies with 500", (status(500),), HEALED),
    _connections("replies with 503, three times", (status(503),), HEALED, times=3),
    _connections("replies with 410", (_p.gone,), MAY_BE_SILENT),
    _connections("replies with 400", (status(400),)),
    _connections("replies with 403", (status(403),)),
    _connections("delays the frame", (_p.delay, _p.take, _p.reply), HEALED),
    _connections("delays the reply", (_p.take, _p.delay, _p.reply), HEALED),
    _connections("drips the reply", (_p.take, _p.dripped_reply), HEALED),
    _connections("doubles the reply", (_p.take, _p.doubled_reply), HEALED),
    _connections("closes after the reply", (_p.take, _p.reply, _p.close), HEALED),
    _connections("replies with garbage", (_p.garbage, _p.close)),
    _connections("cuts the reply", (_p.take, _p.half_reply, _p.close), leaves_doubt=True),
    _connections("cuts the reply, frame lost", (_p.half_reply, _p.close)),
    _connections(
        "takes the frame, then 500", (_p.take, status(500)), MAY_DOUBLE, leaves_doubt=True
    ),
    _connections(
        "takes the frame, then closes", (_p.take, _p.close), MAY_DOUBLE, leaves_doubt=True
    ),
    _connections(
        "takes the frame, then resets", (_p.take, _p.reset), MAY_DOUBLE, leaves_doubt=True
    ),
    _connections("is silent", (_p.silence,)),
    _connections("takes the frame, then is silent", (_p.take, _p.silence), leaves_doubt=True),
)

_function = partial(Fault, Border.FUNCTION)
_x = Exchange
FUNCTION = (
    _function("is killed before its event", (_x.kill,), moment=EVENT),
    _function("is killed at its answer", (_x.kill,), moment=ANSWER),
    _function("is killed at work", (_x.pass_reply, _x.kill_soon), ways=URL, moment=EVENT),
    _function(
        "is killed at work", (_x.pass_reply, _x.kill_soon), MAY_BE_SILENT, WEBSOCKET, moment=EVENT
    ),
    _function("is killed while it connects", (_x.kill,), ways=WEBSOCKET, moment=CONNECT_EVENT),
)

_runtime_api = partial(Fault, Border.RUNTIME_API)
_taken = (_x.pass_request, _x.take_reply)
RUNTIME_API = (
    _runtime_api("breaks before the event", (_x.reset,), HEALED, moment=EVENT),
    _runtime_api("breaks in the event", (_x.pass_half_reply, _x.close), HEALED, moment=EVENT),
    _runtime_api("drips the event", (_x.drip_reply,), HEALED, moment=EVENT),
    _runtime_api("drips the reply", (*_taken, _x.drip_reply), HEALED, moment=ANSWER),
    _runtime_api("breaks before the answer", (_x.close,), moment=ANSWER),
    _runtime_api("breaks in the answer", (_x.pass_half_request, _x.reset), moment=ANSWER),
    _runtime_api("breaks after the answer", (*_taken, _x.close), HEALED, moment=ANSWER),
    _runtime_api(
        "breaks in the reply", (*_taken, _x.pass_half_reply, _x.close), HEALED, moment=ANSWER
    ),
    _runtime_api(
        "closes after the reply", (*_taken, _x.pass_reply, _x.close), HEALED, moment=ANSWER
    ),
)

_client = partial(Fault, Border.CLIENT)
_u, _m = UrlRequest, Message
CLIENT = (
    _client("closes in its request", (_u.send_half, _u.close), LEAVES, URL),
    _client("resets in its request", (_u.send_half, _u.reset), LEAVES, URL),
    _client("closes in the answer", (_u.send, _u.read_some, _u.close), LEAVES, URL),
    _client("resets in the answer", (_u.send, _u.read_some, _u.reset), LEAVES, URL),
    _client("closes after its request", (_u.send, _u.close), LEAVES, URL),
    _client("half-closes after its request", (_u.send, _u.half_close, _u.read), HEALED, URL),
    _client("drips its request", (_u.drip, _u.read), HEALED, URL),
    _client("reads slowly", (_u.send, _u.read_slowly), HEALED, URL, is_slow_reader=True),
    _client("closes in the answer", (_m.send, _m.read_some, _m.close), LEAVES, WEBSOCKET),
    _client("resets in the answer", (_m.send, _m.read_some, _m.reset), LEAVES, WEBSOCKET),
    _client("resets after its message", (_m.send, _m.reset), LEAVES, WEBSOCKET),
    _client("cancels", (_m.send, _m.read_some, _m.cancel, _m.read), LEAVES, CHAT, takes_long=True),
    _client(
        "reads slowly", (_m.send, _m.read_slowly), HEALED, STREAMED & WEBSOCKET, is_slow_reader=True
    ),
)

KILLS = tuple(
    replace(fault, name="is killed at any moment", steps=(_x.pass_reply, _x.kill_later))
    for fault in FUNCTION
    if _x.kill_soon in fault.steps
)
FAULTS = (NO_FAULT, *UPSTREAM, *CONNECTIONS, *FUNCTION, *RUNTIME_API, *CLIENT)
