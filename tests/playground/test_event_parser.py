"""Server-sent events in pieces, however the stream is split."""

from __future__ import annotations

from tests.playground.modules import results_of

STREAM = (
    ': hi\n\ndata: {"a": 1}\r\n\r\nevent: x\rid: 7\rdata: one\rdata:two\r\rdata: [DONE]\n\n\n'
    "error: {}"
)
EVENTS = [
    {"raw": ": hi", "data": ""},
    {"raw": 'data: {"a": 1}', "data": '{"a": 1}'},
    {"raw": "event: x\nid: 7\ndata: one\ndata:two", "data": "one\ntwo"},
    {"raw": "data: [DONE]", "data": "[DONE]"},
    {"raw": "error: {}", "data": "{}"},
]
FEED = """
const parser = new found.EventParser()
return [...given.flatMap((piece) => parser.feed(piece)), ...parser.end()]
"""


def test_events_are_the_same_at_every_split() -> None:
    pieces = [[STREAM[:at], STREAM[at:]] for at in range(len(STREAM) + 1)]
    cases = [*pieces, list(STREAM), [STREAM]]
    for case, events in zip(
        cases, results_of("playground/event_parser.mjs", FEED, cases), strict=True
    ):
        assert events == EVENTS, case


def test_event_without_an_end_comes_at_the_end() -> None:
    assert results_of("playground/event_parser.mjs", FEED, [[], ["data: x"]]) == [
        [],
        [{"raw": "data: x", "data": "x"}],
    ]
