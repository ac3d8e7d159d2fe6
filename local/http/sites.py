"""Which requests come from this machine's own programs and pages (no I/O).

A page of any site can send requests to loopback: by an image, a form, a script, or to its own host
after DNS rebinding. A request that needs no secret is therefore judged by what the browser says of
its page: https://fetch.spec.whatwg.org/#origin-header and
https://w3c.github.io/webappsec-fetch-metadata/
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from local.http.refusals import RefusedError
from local.http.requests import HttpRequest
from local.project.environment import is_loopback

_AUTHORITY = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?"
_HOST = re.compile(_AUTHORITY)
_ORIGIN = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://{_AUTHORITY}")
_OWN_SITES = frozenset({"same-origin", "same-site", "none"})
"""Values of Sec-Fetch-Site for pages of the request's own host, and for what a user typed in."""

_FROM_A_FILE = (
    "A page opened from a file has no origin (file: or null), and any site can make such a page. "
    "Serve its folder (python3 -m http.server 8000) and open http://localhost:8000/."
)


def is_own_host(host: str) -> bool:
    """Return whether a Host header names this machine, with any port."""
    found = _HOST.fullmatch(host)
    return found is not None and _is_own_name(found["host"])


def is_own_origin(origin: str) -> bool:
    """Return whether this machine serves the pages of `origin`."""
    found = _ORIGIN.fullmatch(origin)
    return found is not None and _is_own_name(found["host"])


def check_site(request: HttpRequest, remedy: str) -> None:
    """Raise RefusedError for a page of another site, and for a name that is not this machine's.

    `remedy` says which settings permit other sites.
    """
    hosts = () if request.is_proxied else request.header_values("host")
    other = next((host for host in hosts if not is_own_host(host)), None)
    if other is not None:
        raise RefusedError(
            f"The host {_shown(other, _HOST)} is not this machine. "
            f"Use 127.0.0.1 or localhost in the URL, or {remedy}."
        )
    origins = request.header_values("origin")
    if any(origin in ("null", "file://") for origin in origins):
        raise RefusedError(_FROM_A_FILE)
    foreign = next((origin for origin in origins if not is_own_origin(origin)), None)
    if foreign is not None:
        raise _other_site_error(f"the origin {_shown(foreign, _ORIGIN)}", remedy)
    if not origins:
        _check_silent_page(request, remedy)


def _check_silent_page(request: HttpRequest, remedy: str) -> None:
    """Judge a request without an Origin: of a program, or of a page's image, link or form."""
    sites = request.header_values("sec-fetch-site")
    if not _OWN_SITES.issuperset(sites):
        raise _other_site_error("Sec-Fetch-Site", remedy)
    referer = _ORIGIN.match(request.header("referer"))
    if referer is not None and not is_own_origin(referer.group()):
        raise _other_site_error(f"the referer {referer.group()}", remedy)
    # Safari does not say Sec-Fetch-Site to loopback, and a page can withhold the referer. Without
    # asking first (a preflight), a page can only send a signature that is in the URL.
    is_browser = request.header("user-agent").startswith("Mozilla/")
    is_presigned = "x-amz-signature" in unquote(request.raw_query).lower()
    if is_browser and is_presigned and not sites and referer is None:
        raise RefusedError(
            "The browser does not say which page sends this presigned URL. "
            f"Send the key local in a header, or {remedy}."
        )


def _other_site_error(what: str, remedy: str) -> RefusedError:
    return RefusedError(
        f"A page of another site sends the request, by {what}. Any site knows the local key. "
        f"Serve the page from this machine (http://localhost:5173), or {remedy}."
    )


def _is_own_name(name: str) -> bool:
    lower = name.lower().strip("[]").removesuffix(".")
    return is_loopback(lower) or lower.endswith(".localhost")


def _shown(value: str, pattern: re.Pattern[str]) -> str:
    """Return a name as it is. Anything else could be a key, or control the terminal."""
    return value if pattern.fullmatch(value) else "(not a valid name)"
