"""What the daemon reads in a datagram."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.xray.documents import InvalidDocumentError, read_datagram

HEADER = b'{"format": "json", "version": 1}\n'
VALID: dict[str, Any] = {
    "name": "upstream",
    "id": "0123456789abcdef",
    "trace_id": "1-6748a1b2-0123456789abcdef01234567",
    "parent_id": "fedcba9876543210",
    "type": "subsegment",
    "start_time": 100.25,
    "end_time": 101,
}


def datagram(**fields: Any) -> bytes:
    return HEADER + json.dumps({**VALID, **fields}).encode()


def test_document_says_when_what_and_how_it_ended() -> None:
    found = read_datagram(
        datagram(
            aws={"operation": "PutItem", "region": "us-east-1"},
            http={"request": {"url": "http://a"}, "response": {"status": 429}},
            annotations={"model": "m"},
            metadata={"default": {"tcp_ms": 0.5}},
            error=True,
            throttle=True,
            fault=False,
        )
    )
    assert (found.name, found.began, found.ended) == ("upstream", 100.25, 101.0)
    assert (found.id, found.parent_id) == (VALID["id"], VALID["parent_id"])
    assert list(found.facts.items()) == [
        ("operation", "PutItem"),
        ("url", "http://a"),
        ("status", 429),
        ("model", "m"),
        ("tcp_ms", 0.5),
    ]
    assert found.flags == ("throttle", "error")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the header is not JSON"),
        (b'{"format": "json", "version": 2}\n{}', "the header must be"),
        (HEADER + b"{", "the document is not JSON"),
        (HEADER + b"[" * 100_000, "the document is not JSON"),
        (HEADER + b"[]", "the document is not an object"),
        (datagram(id="0123456789ABCDEF"), "id must match"),
        (datagram(trace_id="1-2-3"), "trace_id must match"),
        (datagram(parent_id=None), "parent_id must match"),
        (datagram(name=""), "name must match"),
        (datagram(end_time=None), "end_time must be a number"),
        (datagram(start_time=True), "start_time must be a number"),
        (datagram(end_time=99), "end_time is before start_time"),
    ],
)
def test_datagram_that_the_daemon_drops_is_named(data: bytes, why: str) -> None:
    with pytest.raises(InvalidDocumentError, match=why):
        read_datagram(data)


def test_parts_of_a_wrong_kind_are_left_out() -> None:
    assert read_datagram(datagram(http=[], metadata={"default": 1}, annotations="x")).facts == {}
