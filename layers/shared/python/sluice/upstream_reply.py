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
    pattern = _pattern(_longest_first(secrets))
    return text if pattern is None or not pattern.search(text) else pattern.sub(MASKED, text)


def masked(chunks: Iterable[bytes], secrets: Iterable[str]) -> Iterator[bytes]:
    """The chunks without the secrets in them, even those that a chunk's end cuts in two.

    A chunk with nothing of a secret in it passes uncopied and at once.
    """
    longest_first = _longest_first(secrets)
    pattern = _pattern(longest_first)
    held = b""
    for chunk in chunks:
        data = held + chunk if held else chunk
        begun = _begun(data, longest_first, pattern)
        held = data[len(data) - begun :]
        if begun < len(data):
            decided = data[: len(data) - begun] if begun else data
            yield mask_secrets(decided, longest_first)
    if held:
        yield mask_secrets(held, longest_first)


def _longest_first(secrets: Iterable[str]) -> list[str]:
    """Those worth masking; one may begin with another."""
    long_enough = (secret for secret in secrets if len(secret) >= MIN_MASKED_CHARACTERS)
    return sorted(long_enough, key=len, reverse=True)


def _pattern(longest_first: list[str]) -> re.Pattern[bytes] | None:
    if not longest_first:
        return None
    return re.compile(b"|".join(re.escape(secret.encode()) for secret in longest_first))


def _begun(data: bytes, secrets: list[str], pattern: re.Pattern[bytes] | None) -> int:
    """How many bytes at the end of `data` may be the beginning of a secret."""
    whole_until = 0
    for match in pattern.finditer(data) if pattern else ():
        # One secret may go on as another, longer one.
        since = data[match.start() :]
        if any(
            secret.encode().startswith(since) and len(secret) > len(since) for secret in secrets
        ):
            return len(since)
        whole_until = match.end()
    rest = data[whole_until:] if whole_until else data
    return max((_length_begun(rest, secret.encode()) for secret in secrets), default=0)


def _length_begun(data: bytes, secret: bytes) -> int:
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
