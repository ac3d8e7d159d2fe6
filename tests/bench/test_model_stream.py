from __future__ import annotations

import json

import pytest

from bench.traffic.model_stream import (
    LAST_CHUNK,
    STREAM_END,
    StreamRecord,
    StreamShape,
    arrivals,
    delays_us,
    event,
    first_byte_us,
    parse_shape,
)

SHAPE = StreamShape(50, 250, 20_000)
SENT = (1_000_000, 2_000_000, 3_000_000)


def recorded(*pieces: tuple[int, bytes]) -> StreamRecord:
    record = StreamRecord()
    for moment, data in pieces:
        record.add(moment, data)
    return record


def test_shape_survives_its_way_through_a_chat_request() -> None:
    assert parse_shape(SHAPE.request_body()) == SHAPE


def test_request_without_a_shape_has_none() -> None:
    assert parse_shape(b'{"messages": []}') is None


@pytest.mark.parametrize("size", [250, 1024, 65536])
def test_event_has_the_size_asked_for(size: int) -> None:
    assert len(event(SENT[0], size)) == size


def test_event_is_a_chunk_of_a_chat_completion() -> None:
    document = json.loads(event(SENT[0], 250).removeprefix(b"data: "))
    assert document["choices"][0]["delta"]["content"].startswith("@0000000000001000000;x")


def test_chunk_counts_as_arrived_with_its_last_byte() -> None:
    body = b"".join(event(moment, 250) for moment in SENT)
    for cut in range(1, len(body)):
        pieces = [(10_000_000, body[:cut]), (20_000_000, body[cut:])]
        # The blank line behind an event may come later without holding anything up.
        whole = [10_000_000 if cut >= 250 * (n + 1) - 1 else 20_000_000 for n in range(len(SENT))]
        assert arrivals(pieces) == list(zip(SENT, whole, strict=True))


def test_events_in_one_chunk_each_are_found() -> None:
    pieces = [(moment + 5_000, b"fa\r\n" + event(moment, 250) + b"\r\n") for moment in SENT]
    assert delays_us(recorded(*pieces)) == [5.0, 5.0]


def test_event_without_its_end_has_not_arrived() -> None:
    assert arrivals([(1, event(SENT[0], 250)[:-3])]) == []


def test_time_to_first_byte_is_from_the_request() -> None:
    record = recorded((7_000, event(2_000, 250)), (9_000, event(8_000, 250)))
    record.started_ns = 1_000
    assert first_byte_us(record) == [6.0]


def test_answer_that_never_began_has_no_times() -> None:
    assert first_byte_us(StreamRecord()) == []
    assert delays_us(StreamRecord()) == []


def test_end_is_seen_however_it_is_cut() -> None:
    end = b"9f\r\n" + STREAM_END + LAST_CHUNK
    for cut in range(1, len(end)):
        halves = (recorded((1, end[:cut])), recorded((1, end[:cut]), (2, end[cut:])))
        assert [record.is_chunked_to_its_end for record in halves] == [False, True]
        assert halves[1].is_whole


def test_answer_without_the_models_last_word_is_not_whole() -> None:
    assert not recorded((1, event(1, 250) + LAST_CHUNK)).is_whole


def test_large_answers_need_not_be_kept() -> None:
    record = StreamRecord(keeps_pieces=False)
    record.add(1, b"x" * 1000)
    record.add(2, STREAM_END)
    assert (record.pieces, record.size, record.is_whole) == ([], 1000 + len(STREAM_END), True)
