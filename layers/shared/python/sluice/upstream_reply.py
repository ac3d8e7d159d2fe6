"""What of an upstream's reply goes on to the client, without any I/O."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sluice.errors import UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EVENT_STREAM = "text/event-stream"
PASSED_HEADERS = (
    "content-type",
    "content-encoding",
    "openai-processing-ms",
    "retry-after",
    "x-request-id",
)
PASSED_PREFIX = "x-ratelimit-"
MASKED = b"[key]"
MIN_MASKED_CHARACTERS = 8  # shorter ones are words of any text, and no secret worth the name
# Providers quote the key they refuse, masked in the middle only: "sk-proj-a1B2********c3D4".
QUOTED_KEY = re.compile(rb"\b[sp]k-[\w*.-]{8,}")


def passed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers a client may see, names in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {
        name: value
        for name, value in lower.items()
        if name in PASSED_HEADERS or name.startswith(PASSED_PREFIX)
    }


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """An upstream's error. Its body still needs mask_keys before a client sees it."""
    return UpstreamRefused(status, passed_headers(headers), body, reported_error(body))


def mask_keys(text: bytes, secrets: Iterable[str]) -> bytes:
    """`text` without the secrets in it, nor anything that looks like a provider's key."""
    return QUOTED_KEY.sub(MASKED, mask_secrets(text, secrets))


def mask_secrets(text: bytes, secrets: Iterable[str]) -> bytes:
    """`text` without the secrets in it; the same object where none is."""
    # The longest first: one key may begin with another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_MASKED_CHARACTERS and secret.encode() in text:
            text = text.replace(secret.encode(), MASKED)
    return text


def masked(chunks: Iterable[bytes], secrets: Iterable[str]) -> Iterator[bytes]:
    """The chunks without the secrets in them, even those that a chunk's end cuts in two.

    A chunk with nothing of a secret in it passes uncopied and at once.
    """
    longest_first = sorted((s for s in secrets if len(s) >= MIN_MASKED_CHARACTERS), key=len)[::-1]
    held = b""
    for chunk in chunks:
        data = mask_secrets(held + chunk if held else chunk, longest_first)
        begun = max((_begun(data, secret.encode()) for secret in longest_first), default=0)
        held = data[len(data) - begun :]
        if begun < len(data):
            yield data[: len(data) - begun] if begun else data
    if held:
        yield held


def _begun(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of the secret."""
    if data[-1:] not in secret:
        return 0
    longest = min(len(secret) - 1, len(data))
    return next((n for n in range(longest, 0, -1) if data.endswith(secret[:n])), 0)


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
