from __future__ import annotations

import re

from bench.traffic.model_stream import (
    LAST_CHUNK,
    STREAM_END,
    StreamRecord,
    StreamShape,
    arrival_of,
    arrivals,
    delays_us,
    event,
    first_byte_us,
    parse_shape,
)

SENT = (1_000_000, 2_000_000, 3_000_000)


def recorded(*pieces: tuple[int, bytes]) -> StreamRecord:
    record = StreamRecord()
    for moment, data in pieces:
        record.add(moment, data)
    return record


def test_shape_survives_its_way_through_a_chat_request() -> None:
    shape = StreamShape(50, 250, 20_000)
    assert parse_shape(shape.request_body()) == shape
    assert len(event(SENT[0], shape.chunk_bytes)) == shape.chunk_bytes


def test_chunk_counts_as_arrived_with_its_last_byte() -> None:
    body = b"".join(event(moment, 250) for moment in SENT)
    for cut in range(1, len(body)):
        pieces = [(10_000_000, body[:cut]), (20_000_000, body[cut:])]
        # The blank line after an event may come later without delaying anything.
        whole = [10_000_000 if cut >= 250 * (n + 1) - 1 else 20_000_000 for n in range(len(SENT))]
        assert arrivals(pieces) == list(zip(SENT, whole, strict=True))


def test_text_arrives_with_the_piece_that_completes_it() -> None:
    pieces = [(10, b'{"status'), (20, b'Code":200'), (30, b'}"statusCode":200')]
    assert arrival_of(re.compile(b'"statusCode":200'), pieces) == 20
    assert arrival_of(re.compile(b'"statusCode":500'), pieces) is None


def test_delays_are_of_each_chunk_but_the_first() -> None:
    pieces = [(moment + 5_000, b"fa\r\n" + event(moment, 250) + b"\r\n") for moment in SENT]
    record = recorded(*pieces)
    record.started_ns = SENT[0] - 1_000
    assert (first_byte_us(record), delays_us(record)) == ([6.0], [5.0, 5.0])
    assert (first_byte_us(StreamRecord()), delays_us(StreamRecord())) == ([], [])


def test_end_is_seen_however_it_is_cut() -> None:
    end = b"9f\r\n" + STREAM_END + LAST_CHUNK
    for cut in range(1, len(end)):
        halves = (recorded((1, end[:cut])), recorded((1, end[:cut]), (2, end[cut:])))
        assert [record.is_chunked_to_its_end for record in halves] == [False, True]
        assert halves[1].is_whole
    assert not recorded((1, event(1, 250) + LAST_CHUNK)).is_whole
