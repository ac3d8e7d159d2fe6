"""Who may use the gateway: clients that present a forward key."""

from __future__ import annotations

from sluice.errors import AuthenticationFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEARER = "bearer "
PROTOCOL_PREFIX = "bearer."
NAME_DIGITS = 12  # 48 bits: different for any number of keys, and useless for guessing one


def is_known(presented: str | None, keys: Iterable[str]) -> bool:
    """Whether it is one of the keys. Takes the same time for every key, known or unknown."""
    from sluice.digests import compare_digest  # noqa: PLC0415 -- see key_digest

    # An event may hold lone surrogates for bytes that were not UTF-8: an unknown key, not a crash.
    shown = (presented or "").encode("utf-8", "surrogatepass")
    matches = [compare_digest(shown, key.encode()) for key in keys]
    return any(matches)


def unknown_key(presented: str | None) -> AuthenticationFailed:
    """The error for a key that nobody knows, or for none."""
    found = "an unknown key" if presented else "no key"
    return AuthenticationFailed(
        f"A key of this gateway is required, as Authorization: Bearer KEY (got {found})."
    )


def key_digest(key: str) -> str:
    """SHA-256 of a key, in hexadecimal digits."""
    # OpenSSL's hashes add 2 ms to a start. A URL with signatures never needs them.
    from sluice.digests import sha256  # noqa: PLC0415

    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def key_name(key: str) -> str:
    """A name for a key in logs: the same for the same key, and it does not reveal the key."""
    return f"key-{key_digest(key)[:NAME_DIGITS]}"


def key_of_headers(headers: Mapping[str, str]) -> str | None:
    """The key in `Authorization: Bearer`, `api-key` or `x-api-key`; names are in lower case."""
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith(BEARER):
        return authorization[len(BEARER) :].strip()
    return headers.get("api-key") or headers.get("x-api-key")


def key_of_protocols(offered: Iterable[str]) -> str | None:
    """The key in the sub-protocol `bearer.KEY`, the only place where a browser can put it."""
    keys = (name[len(PROTOCOL_PREFIX) :] for name in offered if is_key_protocol(name))
    return next(keys, None)


def is_key_protocol(name: str) -> bool:
    return name.lower().startswith(PROTOCOL_PREFIX)
