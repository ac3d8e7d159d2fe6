"""Routes that a limit names and no API has, so that the limit never counts (no I/O)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from local.project.lists import entries

_LIMITS = ("REQ_RATE_LIMIT", "TOKEN_RATE_LIMIT")
_ROOT = "/v1"


def unknown_routes(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each setting that names such routes, with what to say of them."""
    prefixes = [_main_prefix(values), *_extra_prefixes(values)]
    for name in _LIMITS:
        routes = [each for each in _routes(values.get(name, "")) if not _is_known(each, prefixes)]
        if routes:
            apis = ", ".join(prefixes)
            yield name, f"No API is at {', '.join(routes)}. Routes begin with {apis}."


def _main_prefix(values: Mapping[str, str]) -> str:
    prefix = values.get("OPENAI_ROUTE_PREFIX", "").strip().strip("/").removesuffix(_ROOT[1:])
    return f"/{prefix}".rstrip("/") + _ROOT


def _extra_prefixes(values: Mapping[str, str]) -> list[str]:
    return [f"/{each.strip('/')}" for each in entries(values.get("EXTRA_ROUTE_PREFIX", ""))]


def _routes(text: str) -> list[str]:
    try:
        document = json.loads(text)
    except ValueError:
        return []  # the functions say what is wrong
    return (
        [route for route in document if route.startswith("/")] if isinstance(document, dict) else []
    )


def _is_known(route: str, prefixes: list[str]) -> bool:
    """Return whether paths of an API begin with the route, or the route with the API's prefix."""
    begin = f"{route.rstrip('/')}/".lower()
    known = [f"{prefix}/".lower() for prefix in prefixes]
    return any(begin.startswith(each) or each.startswith(begin) for each in known)
