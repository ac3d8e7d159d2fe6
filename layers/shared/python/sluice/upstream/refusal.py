"""What of an upstream's reply goes on to the client, without any I/O."""

from __future__ import annotations

import json

from sluice.errors import UpstreamRefused
from sluice.upstream.headers import reply_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ANY_ZLIB_FORMAT = 47  # gzip or zlib, whichever it begins as, and their largest window


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """An upstream's error. Its body still needs mask_keys before a client sees it."""
    return UpstreamRefused(status, reply_headers(headers), body, reported_error(body))


def decoded(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """The body without its compression, as far as that can be undone and up to `max_bytes`.

    Some servers compress errors although nobody asked them to.
    """
    if content_encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    import zlib  # noqa: PLC0415 -- few servers do

    try:
        return zlib.decompressobj(ANY_ZLIB_FORMAT).decompress(body, max_bytes)
    except zlib.error:
        return body


def reported_error(body: bytes) -> dict[str, Any] | None:
    """The error object in a body of OpenAI's shape, or None."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else None
