"""A URL's parts, as the settings have them. No I/O. RFC 3986 section 3.

urllib.parse brings `ipaddress` and takes a function as long to import as ten modules of this
package; it is for those whose requests are signed.
"""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

# A host has no percent sign: no name that DNS knows has one, and the zone of an IPv6 address means
# something on one machine only. urllib.parse reads both, and lowers the case of a part of them.
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


class UrlParts(NamedTuple):
    """scheme: http or https. host: in lower case, an IPv6 address without its brackets."""

    scheme: str
    userinfo: str | None
    """What stands before an @, as it stands there."""
    host: str
    port: int
    path: str
    query: str


def split_url(url: str) -> UrlParts:
    """Raises ValueError for what is no URL of HTTP, and for one with a fragment."""
    found = re.fullmatch(URL, url)
    if found is None:
        raise ValueError("This is no http:// or https:// URL.")
    scheme = found["scheme"]
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port <= MAX_PORT:
        raise ValueError("This port is none.")
    host = found["host"].strip("[]").lower()
    return UrlParts(
        scheme, found["userinfo"], host, port, found["path"] or "", found["query"] or ""
    )
