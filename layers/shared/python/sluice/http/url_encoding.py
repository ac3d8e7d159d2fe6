"""URLs as they are sent, and so as they are signed. No I/O. RFC 3986."""

from __future__ import annotations

import re

ENCODED_OR_ILLEGAL = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/?-]")
"""A percent-encoded byte, or what may not stand in a path or query: section 3.3 and 3.4."""
ILLEGAL_IN_PATH = r"[^A-Za-z0-9._~!$&'()*+,;=:@/%-]"  # a "?" would begin a query
AUTHORITY_END = re.compile(r"[/?#]")  # section 3.2
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def encoded_path(path: str) -> str:
    """A path with everything encoded that may not stand in one; "%" begins what is already."""
    return re.sub(ILLEGAL_IN_PATH, _encoded, path)


def normalized(url: str) -> str:
    """The URL with everything encoded that must be, and nothing else; section 6.2.2.

    Whoever verifies a signature writes the URL like this, and whatever a client's URL holds, no
    request is cut in two by it. Scheme and host stay as they are; a path is never empty.
    """
    scheme, separator, rest = url.partition("://")
    host = AUTHORITY_END.split(rest, 1)[0]
    target = ENCODED_OR_ILLEGAL.sub(_encoded, rest[len(host) :])
    slash = "" if target.startswith("/") else "/"
    return f"{scheme}{separator}{host}{slash}{target}"


def _encoded(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) > 1:  # encoded already
        character = chr(int(text[1:], 16))
        return character if UNRESERVED.fullmatch(character) else text.upper()
    was_byte = (
        "\udc80" <= text <= "\udcff"
    )  # one that was no UTF-8; half a pair is no letter at all
    encoded = text.encode("utf-8", "surrogateescape" if was_byte else "replace")
    return "".join(f"%{byte:02X}" for byte in encoded)
