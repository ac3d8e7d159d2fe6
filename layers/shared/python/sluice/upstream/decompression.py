"""Undoes the compression of an answer as it comes. No I/O.

Sluice asks for none, but some servers compress all the same.
"""

from __future__ import annotations

import zlib

from sluice.errors import UpstreamBroken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GZIP = ("gzip", "x-gzip")
DEFLATE = "deflate"
ANY_ZLIB_FORMAT = zlib.MAX_WBITS + 32  # gzip or zlib, whichever it begins as
RAW_DEFLATE = -zlib.MAX_WBITS
ZLIB_METHOD = 8  # the lower half of zlib's first byte. RFC 1950 section 2.2
MAX_PIECE_BYTES = 256 * 1024
"""Maximum size of one decompressed piece, in bytes: a few KB may become gigabytes."""
MAX_NAME_CHARACTERS = 40


def decompressed(content_encoding: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes without their compression, as soon as they can be read. Raises UpstreamBroken."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    for name in reversed([name for name in names if name not in ("", "identity")]):
        if name not in (*GZIP, DEFLATE):
            raise UpstreamBroken(
                f"The upstream compressed its answer with {name[:MAX_NAME_CHARACTERS]}. Sluice"
                " reads gzip and deflate, and asks for no compression."
            )
        chunks = _inflated(name, chunks)
    return iter(chunks)


def decompressed_body(content_encoding: str, body: bytes, max_bytes: int) -> bytes:
    """The same for a whole body, as far as possible, up to `max_bytes`: of an error, all helps.

    Raises UpstreamBroken if nothing of it can be read.
    """
    plain = bytearray()
    try:
        for piece in decompressed(content_encoding, (body,)):
            plain += piece
            if len(plain) >= max_bytes:
                break
    except UpstreamBroken:
        if not plain:
            raise
    return bytes(plain[:max_bytes])


def _inflated(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    inflate, held = None, b""
    try:
        for chunk in chunks:
            data = held + chunk
            held = b""
            while data:
                if inflate is not None and inflate.eof and not data.strip(b"\0"):
                    break  # padding
                if inflate is None or inflate.eof:  # gzip allows several members in a row
                    if name == DEFLATE and len(data) < len(b"xx"):
                        held = data
                        break
                    inflate = zlib.decompressobj(_window(name, data))
                if piece := inflate.decompress(data, MAX_PIECE_BYTES):
                    yield piece
                data = inflate.unconsumed_tail or inflate.unused_data
    except zlib.error as error:
        raise UpstreamBroken(f"The upstream's answer is not valid {name}.") from error


def _window(name: str, start: bytes) -> int:
    """deflate is zlib's format by RFC 9110, and its bare content with some servers."""
    is_zlib = start[0] & 0x0F == ZLIB_METHOD and int.from_bytes(start[:2]) % 31 == 0
    return RAW_DEFLATE if name == DEFLATE and not is_zlib else ANY_ZLIB_FORMAT
