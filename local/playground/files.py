"""The page's files, and the header fields that keep other code and other sites out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "playground"
PREFIX = "/_local/playground/"
_INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def read_page_file(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page and its content type; "" is the page itself.

    None for a name that is not one of its files.
    """
    path = FOLDER / (name or _INDEX)
    is_ours = path.parent == FOLDER and path.suffix in _TYPES and path.is_file()
    return (path.read_bytes(), _TYPES[path.suffix]) if is_ours else None


def protection(connects_to: Collection[str]) -> Mapping[str, str]:
    """Return the header fields of each answer; the page may connect to itself and to these URLs.

    https://www.w3.org/TR/CSP3/
    """
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                " ".join(("connect-src 'self'", *map(_source, connects_to))),
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            )
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _source(url: str) -> str:
    """Return what a policy calls the origin of `url`. It has no way to write an IPv6 address."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}:" if rest.startswith("[") else f"{scheme}://{rest.partition('/')[0]}"
