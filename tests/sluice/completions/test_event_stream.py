"""Server-sent events as bytes: cut after lines, and completed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.completions.event_stream import MAX_HELD_BYTES, stream_end, whole_lines
from tests.scripted_upstream import delta


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"a", b"\n"))))
def test_whole_lines_are_the_same_bytes(chunks: list[bytes]) -> None:
    pieces = list(whole_lines(chunks))
    assert b"".join(pieces) == b"".join(chunks)
    assert all(piece.endswith((b"\n", b"\r")) for piece in pieces[:-1])


def test_chunk_of_whole_lines_is_passed_at_once_and_not_copied() -> None:
    event = delta("a")
    assert next(whole_lines(iter([event, b"data: "]))) is event


def test_line_that_does_not_end_is_not_held_forever() -> None:
    line = b"x" * (MAX_HELD_BYTES + 1)
    assert next(whole_lines(iter([line, line]))) == line


@pytest.mark.parametrize(
    ("tail", "missing"),
    [
        (b"data: [DONE]\n\n", b""),
        (b"data: [DONE]\r\n\r\n", b""),
        (b"data: [DONE]\r\r", b""),
        (b"data: [DONE]\n", b"\n"),
        (b"data: [DONE]\r\n", b"\n"),
        (b"data: [DONE]", b"\n"),
        (b"", b""),
    ],
)
def test_stream_end_adds_the_line_end_that_is_missing(tail: bytes, missing: bytes) -> None:
    assert stream_end(tail) == missing
