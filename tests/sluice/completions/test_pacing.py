"""The pace of a stream's events: slower, in order, nothing lost, and never past the deadline."""

from __future__ import annotations

import json

import pytest

from sluice.completions.pacing import Pace, pace_of
from sluice.deadline import Deadline
from sluice.errors import Cancelled, DeadlineReached
from sluice.limit_values import route_rates
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import ScriptedUpstream, replies
from tests.sluice.completions.cache_bench import ASKED, STREAMED, CacheBench

EVENTS = [b"data: 1\n\n", b"data: 2\r\n\r\n", b": comment\n\n", b"data: [DONE]\n\n", b"data: cut"]
CHAT = "/v1/chat/completions"
ROUTES = route_rates('{"/v1": "60/second;120/minute", "/v1/free": "inf"}')


class Clock:
    """Time that only pauses let pass."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 6))
        self.now += seconds


def test_events_come_one_by_one_and_unchanged_however_they_arrive() -> None:
    stream = b"".join(EVENTS)
    for size in range(1, len(stream) + 1):
        clock = Clock()
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert list(Pace(0.5, clock.pause, clock).chunks(pieces)) == EVENTS
        assert clock.pauses == [0.5] * 4


def test_slow_stream_is_not_slowed_and_earns_no_burst() -> None:
    clock = Clock()
    items = iter(range(5))
    paced = Pace(1.0, clock.pause, clock).items(items)
    assert next(paced) == 0
    clock.now += 30
    assert [next(paced) for _ in range(3)] == [1, 2, 3]
    assert clock.pauses == [1.0, 1.0]


def test_slowest_rate_of_a_route_counts() -> None:
    deadline = Deadline(lambda: 900_000)
    assert pace_of("/v2", ROUTES, deadline, None) is None
    assert pace_of("/v1/free/x", ROUTES, deadline, None) is None
    assert pace_of(CHAT, (), deadline, None) is None
    assert pace_of(CHAT, ROUTES, deadline, None) is not None


def test_pause_ends_with_the_stop_signal() -> None:
    signal = StopSignal()
    pace = pace_of(CHAT, route_rates('{"/v1": "1/day"}'), Deadline(lambda: 900_000), signal)
    assert pace is not None
    paced = pace.items([1, 2])
    assert next(paced) == 1
    signal.stop(Cancelled("The client cancelled this request."))
    with pytest.raises(Cancelled):
        next(paced)


def test_pause_ends_at_the_deadline() -> None:
    left = iter([1100, 0])
    pace = pace_of(CHAT, route_rates('{"/v1": "1/day"}'), Deadline(lambda: next(left)), None)
    assert pace is not None
    paced = pace.items([1, 2])
    assert next(paced) == 1
    with pytest.raises(DeadlineReached):
        next(paced)


def test_kept_answer_is_streamed_in_pieces_if_there_is_a_pace(upstream: ScriptedUpstream) -> None:
    paced = {"TOKEN_RATE_LIMIT": '{"/v1/chat/completions": "9999/second"}'}
    document = {"choices": [{"message": {"content": "a" * 9}, "finish_reason": "stop"}]}
    upstream.script = replies(200, document)
    for environ, pieces in (({}, ["a" * 9]), (paced, ["aaaa", "aaaa", "a"])):
        bench = CacheBench(upstream, **environ)
        bench.ask(ASKED)
        lines = bench.ask(STREAMED).splitlines()
        events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
        texts = [event["choices"][0]["delta"].get("content") for event in events]
        assert [text for text in texts if text] == pieces
