"""Which pages of other sites may send requests and read the answers (CORS). No I/O.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import re

from sluice.errors import OriginNotAllowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANY = "*"
MAX_AGE_S = 7200  # how long a browser may cache a preflight; Chromium's maximum
EXPOSED = "*"  # any header of a provider, rate limits included; credentials are not allowed
FIELD_NAMES = r"(?a)[!#$%&'*+.^_`|~\w-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~\w-]+)*"
METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD"


def is_preflight(headers: Mapping[str, str]) -> bool:
    """Whether an OPTIONS request is a browser's, about a request that it has not sent yet."""
    return "access-control-request-method" in headers


def preflight_headers(headers: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """The headers of a preflight's reply. Raises OriginNotAllowed."""
    allowing = cors_headers(headers, allowed)
    if "access-control-allow-origin" not in allowing:
        raise OriginNotAllowed(
            "This origin may not use the gateway. CORS_ALLOW_ORIGINS lists those that may."
        )
    named = headers.get("access-control-request-headers", "")
    return {
        **allowing,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": named if re.fullmatch(FIELD_NAMES, named) else ANY,
        "access-control-max-age": str(MAX_AGE_S),
    }


def cors_headers(headers: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """Headers of every reply, errors included, so that pages of allowed origins may read it."""
    if not allowed:
        return {}
    origin = headers.get("origin")
    varies = {} if ANY in allowed else {"vary": "origin"}
    if origin is None or not (ANY in allowed or origin in allowed):
        return varies
    return {
        "access-control-allow-origin": ANY if ANY in allowed else origin,
        "access-control-expose-headers": EXPOSED,
        **varies,
    }
