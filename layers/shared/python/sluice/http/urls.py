"""URLs: their parts, and the form in which they are sent (no I/O). RFC 3986.

urllib.parse is slow to import: it brings `ipaddress`. Only signed requests need it.
"""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# A host has no percent sign: DNS names have none, and the zone of an IPv6 address counts on one
# machine only. urllib.parse accepts both, and lowers the case of a part of them.
URL = (
    r"(?P<scheme>https?)://"
    r"(?:(?P<userinfo>[^\s/?#\\\[\]]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]|[^\s/?#:@\[\]\\%]+)"
    r"(?::(?P<port>[0-9]{1,5})?)?"
    r"(?P<path>/[^\s?#]*)?"
    r"(?:\?(?P<query>[^\s#]*))?"
)
MAX_PORT = 65535
DEFAULT_PORTS = {"http": 80, "https": 443}
# As text: `re` compiles a pattern at its first use, and functions that read no URL start sooner.
ENCODED_OR_ILLEGAL = r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/?-]"
"""A percent-encoded byte, or a character that is invalid in a path or query: sections 3.3, 3.4."""
ENCODED_OR_ILLEGAL_IN_PATH = r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/-]"
"""There "?" would begin a query."""
AUTHORITY_END = r"[/?#]"  # section 3.2
UNRESERVED = r"[A-Za-z0-9._~-]"
PRESIGNED_PREFIX = "x-amz-"


class UrlParts(NamedTuple):
    """scheme: http or https. host: in lower case, an IPv6 address without its brackets."""

    scheme: str
    userinfo: str | None
    """The text before an @, unchanged."""
    host: str
    port: int
    path: str
    query: str


def split_url(url: str) -> UrlParts:
    """Raises ValueError for anything but an http or https URL without a fragment."""
    found = re.fullmatch(URL, url)
    if found is None:
        raise ValueError("Not an http:// or https:// URL.")
    scheme = found["scheme"]
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port <= MAX_PORT:
        raise ValueError(f"A port must be 1 to {MAX_PORT}.")
    host = found["host"].strip("[]").lower()
    return UrlParts(
        scheme, found["userinfo"], host, port, found["path"] or "", found["query"] or ""
    )


def encoded_path(path: str) -> str:
    """A path as `normalized` writes it: chat%2Fa stays, and %63hat is chat."""
    return re.sub(ENCODED_OR_ILLEGAL_IN_PATH, _encoded, path)


def percent_encoded(text: str, kept: str = "") -> str:
    """`text` with everything encoded except letters, digits, -_.~ and `kept`."""
    return re.sub(f"[^A-Za-z0-9._~{kept}-]", _encoded, text)


def normalized(url: str) -> str:
    """The URL with everything encoded that must be, and nothing else. Section 6.2.2.

    Whoever verifies a signature writes the URL like this, and whatever a client's URL holds, no
    request is cut in two by it. Scheme and host stay as they are; a path is never empty.
    """
    scheme, separator, rest = url.partition("://")
    host = re.split(AUTHORITY_END, rest, maxsplit=1)[0]
    target = re.sub(ENCODED_OR_ILLEGAL, _encoded, rest[len(host) :])
    slash = "" if target.startswith("/") else "/"
    return f"{scheme}{separator}{host}{slash}{target}"


def without_signature(query: str) -> str:
    """A query without the signature of a presigned URL, which is for Sluice and not for a provider.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    pairs = query.split("&")
    return "&".join(pair for pair in pairs if not pair.lower().startswith(PRESIGNED_PREFIX))


def without_values(query: str, secrets: Iterable[str]) -> str:
    """A query without the pairs whose value is a secret, such as ?key= with a forward key."""
    known = frozenset(secrets)
    if not (query and known):
        return query
    from urllib.parse import unquote_plus  # noqa: PLC0415 -- see above

    pairs = query.split("&")
    return "&".join(pair for pair in pairs if unquote_plus(pair.partition("=")[2]) not in known)


def without_parameter(query: str, name: str) -> str:
    """A query without the pairs and blanks of this name, in whatever case."""
    if not query:
        return query
    from urllib.parse import unquote_plus  # noqa: PLC0415 -- see above

    pairs = query.split("&")
    return "&".join(
        pair for pair in pairs if pair and unquote_plus(pair.partition("=")[0]).lower() != name
    )


def _encoded(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) > 1:  # encoded already
        character = chr(int(text[1:], 16))
        return character if re.fullmatch(UNRESERVED, character) else text.upper()
    was_byte = (
        "\udc80" <= text <= "\udcff"
    )  # one that was no UTF-8; half a pair is no letter at all
    encoded = text.encode("utf-8", "surrogateescape" if was_byte else "replace")
    return "".join(f"%{byte:02X}" for byte in encoded)
