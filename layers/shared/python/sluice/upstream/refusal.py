"""What of an upstream's reply goes on to the client, without any I/O."""

from __future__ import annotations

import json
import re

from sluice.errors import UpstreamRefused
from sluice.secret_mask import MASKED, SecretMask
from sluice.upstream.headers import reply_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

EVENT_STREAM = "text/event-stream"
BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")  # what ends an event
MAX_BLANK_LINE_BYTES = 4
ANY_ZLIB_FORMAT = 47  # gzip or zlib, whichever it begins as, and their largest window
# Providers quote the key they refuse, masked in the middle only: "sk-proj-a1B2********c3D4".
QUOTED_KEY = rb"\b[sp]k-[\w*.-]{8,}"


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


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


def mask_keys(text: bytes, secrets: Iterable[str]) -> bytes:
    """`text` without the secrets in it, nor anything that looks like a provider's key."""
    return re.sub(QUOTED_KEY, MASKED, SecretMask(secrets).apply(text))


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
