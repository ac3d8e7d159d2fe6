"""The usage event is asked for, counted, and kept from clients that did not ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.event_stream import PIECE_BYTES
from sluice.completions.usage_event import asking_for_usage, without_usage_event
from sluice.upstream.call import ModelCall, chat_call

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = sorted((Path(__file__).parents[2] / "data").rglob("*.sse"))
COUNTS = b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}'
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}\n\n'
DONE = b"data: [DONE]\n\n"


def without(chunks: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    found: list[bytes] = []
    return b"".join(without_usage_event(chunks, found.append)), found


def asked(body: str, path: str = "/chat/completions", **fields: Any) -> ModelCall | None:
    return asking_for_usage(chat_call(body.encode())._replace(path=path, **fields))


@pytest.mark.parametrize(
    ("body", "asking"),
    [
        ('{"stream":true}', '{"stream_options": {"include_usage": true}, "stream":true}'),
        (
            '{"stream":true, "stream_options" : {"x":1} }',
            '{"stream":true, "stream_options" : {"x": 1, "include_usage": true} }',
        ),
        (
            '{"stream":true,"stream_options":null,"seed":1.0e5}',
            '{"stream":true,"stream_options":{"include_usage": true},"seed":1.0e5}',
        ),
    ],
)
def test_stream_asks_for_its_usage_and_nothing_else_changes(body: str, asking: str) -> None:
    for path in ("/chat/completions", "/completions", "/v1beta/openai/chat/completions"):
        call = asked(body, path)
        assert call is not None
        assert call.body.decode() == asking.replace(
            '"include_usage": true', '"include_usage": true'
        )


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ('{"stream":false}', {}),
        ("{}", {}),
        ('{"stream":"true"}', {}),
        ('{"stream":true,"stream_options":{"include_usage":true}}', {}),
        ('{"stream":true,"stream_options":7}', {}),
        ('{"stream":true', {}),
        ("[true]", {}),
        ('{"stream":true}', {"path": "/responses"}),
        ('{"stream":true}', {"method": "PUT"}),
        ('{"stream":true}', {"headers": {"content-type": "multipart/form-data"}}),
    ],
)
def test_other_requests_stay_as_they_are(body: str, fields: dict[str, Any]) -> None:
    assert asked(body, **fields) is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[],' + COUNTS + b"}",
        b'data:{"choices" : [ ], ' + COUNTS + b"}",
        b'id: 7\nevent: x\ndata: {"choices":[],\ndata: ' + COUNTS + b"}",
        b'data: {"choices":null,' + COUNTS + b"}",
    ],
)
def test_usage_event_is_taken_out_at_every_cut(event: bytes, end: bytes) -> None:
    def lines(data: bytes) -> bytes:
        return data.replace(b"\n", end)

    expected = lines(CHUNK + DONE)
    stream = lines(CHUNK + event + b"\n\n" + DONE)
    for cut in range(len(stream) + 1):
        assert without([stream[:cut], stream[cut:]]) == (expected, [lines(event + b"\n\n")])
    assert without(bytes([byte]) for byte in stream)[0] == expected


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"index":0,"delta":{}}],' + COUNTS + b"}\n\n",
        b'data: {"choices":[],"usage":null}\n\n',
        b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
        b'data: {"usage"\n\n',
        b": " + COUNTS + b"\n\n",
        b'data: {"choices":[],' + COUNTS,
    ],
)
def test_other_events_stay(event: bytes) -> None:
    is_whole = event.endswith(b"\n\n")
    stream = CHUNK + event
    assert without([stream])[0] == stream or not is_whole


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
def test_blank_lines_too_many_stay_at_every_cut(end: bytes) -> None:
    before, event = CHUNK.replace(b"\n", end) + 2 * end, b'data: {"choices":[],%b}' % COUNTS
    stream = before + event + 2 * end + DONE.replace(b"\n", end)
    whole, _ = without([stream])
    assert whole == before + DONE.replace(b"\n", end)
    for cut in range(len(stream)):
        assert without([stream[:cut], stream[cut:]])[0] == whole
    assert without([stream[at : at + 1] for at in range(len(stream))])[0] == whole


def test_usage_event_is_taken_out_of_a_long_answer_that_comes_at_once() -> None:
    many, event = CHUNK * (3 * PIECE_BYTES // len(CHUNK)), b'data: {"choices":[],%b}\n\n' % COUNTS
    assert without([many + event + many + DONE]) == (many + many + DONE, [event])


def test_whole_events_are_not_held_back() -> None:
    chunks = iter([CHUNK, CHUNK[:9], CHUNK[9:] + CHUNK[:1]])
    assert next(filtered := without_usage_event(chunks, print)) == CHUNK
    assert next(filtered) == CHUNK
    assert next(filtered) == CHUNK[:1]


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_recorded_stream_loses_only_its_usage(file: Path) -> None:
    stream = file.read_bytes()
    kept, _ = without([stream])
    events = [event for event in stream.split(b"\n\n") if b'"choices":[]' not in event]
    if kept != stream:
        assert kept == b"\n\n".join(events)
