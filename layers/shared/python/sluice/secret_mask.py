"""Masks the gateway's keys in texts and in streams of bytes. No I/O."""

from __future__ import annotations

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASKED = b"[key]"
MIN_MASKED_CHARACTERS = 16
"""As long as setting_values requires of secrets. Shorter keys are words of ordinary text."""
# Providers quote a key they reject, and mask only its middle: "sk-proj-a1B2********c3D4".
QUOTED_KEY = rb"\b[sp]k-[\w*.-]{8,}"


@lru_cache(maxsize=4)  # secrets change only when a key is first read
def mask_of(secrets: tuple[str, ...]) -> SecretMask:
    """The mask of these secrets, compiled once."""
    return SecretMask(secrets)


def mask_keys(text: bytes, secrets: Iterable[str]) -> bytes:
    """`text` with the secrets masked, and anything that looks like a provider's key."""
    return re.sub(QUOTED_KEY, MASKED, SecretMask(secrets).apply(text))


class SecretMask:
    """Made once for many texts: precomputes what depends only on the secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        worth_masking = (secret for secret in secrets if len(secret) >= MIN_MASKED_CHARACTERS)
        # The longest first: one secret may begin with another.
        self._secrets = sorted((secret.encode() for secret in worth_masking), key=len)[::-1]
        self._beginnings = frozenset(b"".join(secret[:-1] for secret in self._secrets))
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)))

    def apply(self, text: bytes) -> bytes:
        """`text` with the secrets masked; the same object if it has none."""
        return self._pattern.sub(MASKED, text) if self._is_in(text) else text

    def text(self, text: str) -> str:
        """`text` with the secrets masked; the same object if it has none."""
        if not self._secrets:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self.apply(data)
        return text if masked is data else masked.decode("utf-8", "surrogatepass")

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks with the secrets masked, even those that the end of a chunk cuts in two.

        A chunk without any part of a secret is passed at once and not copied.
        """
        held = b""
        for chunk in chunks:
            data = held + chunk if held else chunk
            is_clean = not self._is_in(data)
            begun = self._begun_at_end(data) if is_clean else self._begun(data)
            held = data[len(data) - begun :]
            if begun < len(data):
                passed = data[: len(data) - begun] if begun else data
                yield passed if is_clean else self.apply(passed)
        if held:
            yield self.apply(held)

    def _is_in(self, data: bytes) -> bool:
        # One by one, in a third of the time that one pattern for all takes. In a loop, because
        # `any` would make a generator per chunk.
        for secret in self._secrets:  # noqa: SIM110
            if secret in data:
                return True
        return False

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` may begin a secret."""
        whole_until = 0
        for match in self._pattern.finditer(data):
            since = data[match.start() :]
            if any(secret.startswith(since) and secret != since for secret in self._secrets):
                return len(since)  # the beginning of another, longer secret
            whole_until = match.end()
        return self._begun_at_end(data[whole_until:])

    def _begun_at_end(self, data: bytes) -> int:
        if not data or data[-1] not in self._beginnings:
            return 0  # the usual case: events end with a line end, which no secret has
        return max((_length_begun(data, secret) for secret in self._secrets), default=0)


def _length_begun(data: bytes, secret: bytes) -> int:
    if data[-1:] not in secret:
        return 0
    longest = min(len(secret) - 1, len(data))
    return next((n for n in range(longest, 0, -1) if data.endswith(secret[:n])), 0)
