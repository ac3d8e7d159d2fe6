"""Compressed answers, read as they come."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from sluice.errors import UpstreamBroken
from sluice.upstream.decompression import MAX_PIECE_BYTES, decompressed, decompressed_body

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = b"data: one\n\ndata: two\n\n"
GZIP, ZLIB, RAW = 31, 15, -15  # windows of zlib


def compressed(data: bytes, window: int) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", compressed(TEXT, GZIP)),
        ("x-gzip", compressed(TEXT, GZIP) + b"\0\0\0"),
        ("GZIP", compressed(TEXT[:5], GZIP) + compressed(TEXT[5:], GZIP)),
        ("deflate", compressed(TEXT, ZLIB)),
        ("deflate", compressed(TEXT, RAW)),
        ("deflate, gzip", gzip.compress(compressed(TEXT, ZLIB), mtime=0)),
        ("identity, gzip", compressed(TEXT, GZIP)),
        ("identity", TEXT),
        ("", TEXT),
    ],
)
def test_compression_is_undone_at_every_cut(encoding: str, body: bytes) -> None:
    for cut in range(len(body) + 1):
        assert b"".join(decompressed(encoding, (body[:cut], body[cut:]))) == TEXT
    assert b"".join(decompressed(encoding, (body[at : at + 1] for at in range(len(body))))) == TEXT
    assert decompressed_body(encoding, body, len(TEXT)) == TEXT
    assert decompressed_body(encoding, body, 4).startswith(TEXT[:4])


@pytest.mark.parametrize(
    ("encoding", "window"), [("gzip", GZIP), ("deflate", ZLIB), ("deflate", RAW)]
)
def test_flushed_event_comes_before_the_next_bytes_are_read(encoding: str, window: int) -> None:
    compressor = zlib.compressobj(wbits=window)

    def chunks() -> Iterator[bytes]:
        yield compressor.compress(b"data: one\n\n") + compressor.flush(zlib.Z_SYNC_FLUSH)
        raise AssertionError("read on")

    assert next(decompressed(encoding, chunks())) == b"data: one\n\n"


def test_pieces_are_bounded_however_much_was_compressed() -> None:
    bomb = gzip.compress(b"\n" * (8 * MAX_PIECE_BYTES))
    pieces = list(decompressed("gzip", (bomb,)))
    assert max(map(len, pieces)) <= MAX_PIECE_BYTES
    assert sum(map(len, pieces)) == 8 * MAX_PIECE_BYTES
    assert len(decompressed_body("gzip", bomb, 1000)) == 1000


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("br", b"x", "with br"),
        ("zstd", b"x", "with zstd"),
        ("gzip, br", b"x", "with br"),
        ("x" * 99, b"x", r"with x{40}\."),
        ("gzip", b"not compressed", "not valid gzip"),
        ("deflate", b"\xff\xff\xff", "not valid deflate"),
    ],
)
def test_what_cannot_be_undone_is_named(encoding: str, body: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        list(decompressed(encoding, (body,)))
    with pytest.raises(UpstreamBroken, match=message):
        decompressed_body(encoding, body, 100)


def test_what_came_before_the_garbage_of_an_error_is_kept() -> None:
    compressor = zlib.compressobj(wbits=GZIP)
    begun = compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert decompressed_body("gzip", begun, 100) == TEXT
    first = gzip.compress(TEXT, mtime=0)
    assert decompressed_body("gzip", first + b"garbage", 100) == TEXT
