"""The marks of a request, before anything is sent."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import pytest

from sluice.errors import ConnectionGone
from sluice.request_log import RequestLog
from sluice.trace import MAX_PARTS, NO_SPAN, Calls, Span, Trace, trace_of
from tests.sluice.clocks import HandClock

ID = "1-6748a1b2-0123456789abcdef01234567"
HEADER = f"Root={ID};Parent=0123456789abcdef;Sampled=1"


@pytest.mark.parametrize(
    ("header", "trace_id", "is_sampled"),
    [
        (HEADER, ID, True),
        (f"{HEADER};Lineage=1:a87bd80c:1|2:b", ID, True),
        (f"Self=1-2-3;{HEADER}", ID, True),
        (HEADER.replace("Sampled=1", "Sampled=0"), ID, False),
        (HEADER.replace("Sampled=1", "Sampled=?"), ID, False),
        (f"Root={ID}", ID, False),
        ("", "", False),
        (";;=;Root", "", False),
    ],
)
def test_header_names_the_trace_and_says_whether_it_is_sampled(
    header: str, trace_id: str, *, is_sampled: bool
) -> None:
    trace = Trace(header)
    assert (trace.id, trace.is_sampled) == (trace_id, is_sampled)


def test_header_of_the_context_counts_and_then_the_variable() -> None:
    other = {"_X_AMZN_TRACE_ID": HEADER.replace("6748a1b2", "00000000")}
    assert trace_of(SimpleNamespace(trace_header=HEADER), other).id == ID
    for context in (SimpleNamespace(trace_header=None), SimpleNamespace(), None):
        assert trace_of(context, {"_X_AMZN_TRACE_ID": HEADER}).id == ID
        assert trace_of(context, {}).id == ""


def test_switch_of_the_sdk_counts() -> None:
    for value, is_sampled in (("false", False), ("FALSE", False), ("true", True), ("", True)):
        environ = {"_X_AMZN_TRACE_ID": HEADER, "AWS_XRAY_SDK_ENABLED": value}
        trace = trace_of(None, environ)
        assert (trace.id, trace.is_sampled) == (ID, is_sampled)


def test_request_that_is_not_sampled_keeps_nothing() -> None:
    def post(frame: bytes) -> None: ...

    trace = Trace(HEADER.replace("Sampled=1", "Sampled=0"))
    with trace.span("store", operation="PutItem") as span:
        span.note(status=200)
        span.mark("time_to_first_byte_ms")
    assert span is NO_SPAN
    assert (span.facts, span.ended) == ({}, None)
    assert trace.timed("delivery", post) is post
    trace.add("connection", 0.0, 1e12)
    trace.close({"outcome": "ok"}, None)
    trace.send()
    assert vars(trace)["_spans"] == []
    assert vars(trace)["_facts"] == {}


def test_span_has_the_times_of_its_block_and_its_error() -> None:
    clock, error = HandClock(), ConnectionGone("gone")
    trace, began = Trace(HEADER, clock=clock), clock.now
    with contextlib.suppress(ConnectionGone), trace.span("upstream", model="m") as span:
        clock.now += 0.25
        span.mark("time_to_first_byte_ms")
        clock.now += 1
        raise error
    assert (span.began, span.ended, span.error) == (began, began + 1.25, error)
    assert span.facts == {"model": "m", "time_to_first_byte_ms": 250.0}


def test_timed_calls_are_one_part_from_the_first_to_the_last() -> None:
    clock, failing = HandClock(), [True, False]
    trace = Trace(HEADER, clock=clock)

    def post(seconds: float) -> float:
        clock.now += seconds
        if failing.pop(0):
            raise ConnectionGone("gone")
        return seconds

    timed = trace.timed("delivery", post, operation="PostToConnection")
    assert vars(trace)["_spans"] == []
    clock.now += 1
    began = clock.now
    with pytest.raises(ConnectionGone):
        timed(0.5)
    span: Span
    (span,) = vars(trace)["_spans"]
    assert type(span.error) is ConnectionGone
    clock.now += 10
    assert timed(0.25) == 0.25
    (span,) = vars(trace)["_spans"]
    assert (span.began, span.ended, span.error) == (began, began + 10.75, None)
    assert span.facts == {"operation": "PostToConnection", "calls": 2}
    assert vars(trace)["_spans"] == [span]


def test_part_that_ended_before_the_request_is_not_its_own() -> None:
    clock = HandClock()
    trace, began = Trace(HEADER, clock=clock), clock.now
    trace.add("connection", began - 2, began - 1)
    for _ in range(2):  # a retry over the same connection
        trace.add("connection", began - 1, began + 1, None, tcp_ms=5.0)
    (span,) = vars(trace)["_spans"]
    assert (span.began, span.ended, span.facts) == (began - 1, began + 1, {"tcp_ms": 5.0})


def test_parts_and_calls_are_bounded() -> None:
    clock = HandClock()
    trace, calls = Trace(HEADER, clock=clock), Calls("store", clock)
    for _ in range(MAX_PARTS + 5):
        trace.span("upstream")
        with calls.begin("PutItem"):
            clock.now += 1
    assert len(vars(trace)["_spans"]) == MAX_PARTS
    assert len(calls.since(0.0)) == MAX_PARTS
    assert len(calls.since(clock.now - 2.5)) == 3


def test_calls_that_run_are_within_every_request() -> None:
    clock = HandClock()
    calls = Calls("parameters", clock)
    span = calls.begin("GetParameters")
    assert calls.since(clock.now + 100) == [span]
    span.end()
    assert calls.since(clock.now + 100) == []


def test_end_of_the_request_ends_what_runs() -> None:
    clock, error = HandClock(), ConnectionGone("gone")
    trace = Trace(HEADER, clock=clock)
    over, running = trace.span("upstream"), trace.span("delivery")
    over.end()
    ended, clock.now = clock.now, clock.now + 1
    trace.close({}, error)
    assert (over.ended, over.error) == (ended, None)
    assert (running.ended, running.error) == (clock.now, error)


def test_log_line_has_the_id_of_the_trace_whether_it_is_sampled_or_not() -> None:
    for sampled in ("0", "1"):
        trace, lines = Trace(HEADER.replace("Sampled=1", f"Sampled={sampled}")), list[str]()
        with RequestLog("r-1", "url", write=lines.append, trace=trace):
            pass
        assert json.loads(lines[0])["trace_id"] == ID
    lines = []
    with RequestLog("r-1", "url", write=lines.append):
        pass
    assert "trace_id" not in json.loads(lines[0])
