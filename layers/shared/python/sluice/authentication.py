"""Who makes a request: the keys of clients, and principals, each with a name for logs."""

from __future__ import annotations

from sluice.errors import AuthenticationFailed
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Meanwhile = Callable[[str | None], object]
    """Begins what may happen while the store is asked about a principal. Called before each round
    trip, with the principal's name once that is known."""

BEARER = "bearer "
PROTOCOL_PREFIX = "bearer."
WITHOUT_RECORD = "counts of "
"""How accounts without a record begin: counters expire, so they are not in the item of a record,
which the same key or ARN may have, too."""
NAME_DIGITS = 12  # 48 bits: different for any number of keys, and useless for guessing one


class Principal(NamedTuple):
    """Who makes a request.

    name: for logs, not a secret. account: the key of its item in the store. has_record: whether
    only a record knows it.
    """

    name: str
    account: str
    has_record: bool = False

    @property
    def logged(self) -> dict[str, str]:
        """Its fields in a log line."""
        alias = {"key_alias": self.name} if self.has_record else {}
        return {"principal": self.name, **alias}


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


def principal_of_key(key: str) -> Principal:
    """Who has this key. Its name is for logs: the same for the same key, and does not reveal it."""
    digest = key_digest(key)
    return Principal(f"key-{digest[:NAME_DIGITS]}", f"{WITHOUT_RECORD}key {digest}")


def principal_of_signer(arn: str) -> Principal:
    """Who signs as this ARN, where no record tells more."""
    return Principal(arn, f"{WITHOUT_RECORD}{account_of_principal(arn)}")


def account_of_key(key: str) -> str:
    """The record's item of a key, which it does not reveal."""
    return f"key {key_digest(key)}"


def account_of_principal(arn: str) -> str:
    """The record's item of whoever signs as this ARN; an assumed role counts as its role."""
    return f"arn {role_of(arn)}"


def role_of(arn: str) -> str:
    """An ARN without the session's name.

    arn:aws:sts::123456789012:assumed-role/NAME/SESSION has assumed arn:aws:iam::…:role/PATH/NAME.
    The former lacks the role's path, so the result does, too.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    """
    start, _, resource = arn.rpartition(":")
    kind, *names = resource.split("/")
    if kind == "assumed-role" and names:
        return f"{start.replace(':sts:', ':iam:', 1)}:role/{names[0]}"
    if kind == "role" and names:
        return f"{start}:role/{names[-1]}"
    return arn


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
