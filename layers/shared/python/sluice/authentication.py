"""Who may use the gateway: whoever shows one of the forward keys."""

from __future__ import annotations

from sluice.errors import AuthenticationFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEARER = "bearer "
PROTOCOL_PREFIX = "bearer."
NAME_DIGITS = 12  # 48 bits: names differ for any number of keys, and say nothing of a random key


def check_key(presented: str | None, keys: Iterable[str]) -> None:
    """Raises AuthenticationFailed unless `presented` is one of the keys.

    Takes the same time whichever key it is, or none.
    """
    from hmac import compare_digest  # noqa: PLC0415 -- see key_name

    # Bytes that were no UTF-8 may stand in an event as lone surrogates: no key, but no failure.
    shown = (presented or "").encode("utf-8", "surrogatepass")
    matches = [compare_digest(shown, key.encode()) for key in keys]
    if not any(matches):
        found = "an unknown key" if presented else "no key"
        raise AuthenticationFailed(
            f"Expected a key of this gateway, as Authorization: Bearer KEY; found {found}."
        )


def key_name(key: str) -> str:
    """What a log may call a key: the same for the same key, and not the key."""
    # OpenSSL's hashes are 2 ms of start-up, and a URL that takes signatures never needs them.
    from hashlib import sha256  # noqa: PLC0415

    return f"key-{sha256(key.encode()).hexdigest()[:NAME_DIGITS]}"


def key_of_headers(headers: Mapping[str, str]) -> str | None:
    """The key in `Authorization: Bearer`, `api-key` or `x-api-key`; names are in lower case."""
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith(BEARER):
        return authorization[len(BEARER) :].strip()
    return headers.get("api-key") or headers.get("x-api-key")


def key_of_protocols(offered: Iterable[str]) -> str | None:
    """The key in the sub-protocol `bearer.KEY`, the one thing a browser can set."""
    keys = (name[len(PROTOCOL_PREFIX) :] for name in offered if is_key_protocol(name))
    return next(keys, None)


def is_key_protocol(name: str) -> bool:
    return name.lower().startswith(PROTOCOL_PREFIX)
