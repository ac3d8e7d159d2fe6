"""Whether a page of another site may ask, and read the answer (CORS). No I/O.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import re

from sluice.errors import OriginNotAllowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANY = "*"
MAX_AGE_S = 7200  # for which a browser remembers a preflight; Chromium keeps it no longer
EXPOSED = "*"  # whatever headers a provider sends, its limits with them; no credentials are allowed
FIELD_NAMES = r"(?a)[!#$%&'*+.^_`|~\w-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~\w-]+)*"
METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    return method == "OPTIONS" and "access-control-request-method" in headers


def preflight_headers(headers: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """The answer to a browser that asks before it sends. Raises OriginNotAllowed."""
    allowing = cors_headers(headers, allowed)
    if "access-control-allow-origin" not in allowing:
        raise OriginNotAllowed(
            "Pages of this origin may not use this gateway: expected one of CORS_ALLOW_ORIGINS."
        )
    asked = headers.get("access-control-request-headers", "")
    return {
        **allowing,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": asked if re.fullmatch(FIELD_NAMES, asked) else ANY,
        "access-control-max-age": str(MAX_AGE_S),
    }


def cors_headers(headers: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """What every reply carries, errors too, so that pages of allowed origins may read it."""
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
