"""What the banner says of the gateway's settings, in openai-forward's order; no key (no I/O)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from local.project.environment import upstream_url, url_for_display, uses_azure
from local.project.lists import entries

DEFAULT_MODEL = "gpt-6-luna"
"""That of sluice.settings, as a test checks."""

DEFAULT_CACHE_TTL = "86400"
"""That of sluice.settings, as a test checks."""

_NO_LIMIT = ("", "inf")
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))

Row = tuple[str, str]
"""A label and a text."""


def upstream(environment: Mapping[str, str]) -> str:
    """Return the provider's URL, and the model of requests that name none."""
    model = default_model(environment)
    return f"{upstream_url(environment)}" + (f" (model {model})" if model else "")


def default_model(environment: Mapping[str, str]) -> str:
    """Return the model of requests that name none; "" if they must name one."""
    default = "" if uses_azure(environment) else DEFAULT_MODEL
    return _value(environment, "OPENAI_MODEL") or default


def overview(environment: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the rows below the upstream: prefixes, keys, cache, limits."""
    return (
        ("Route prefix", f"/{_value(environment, 'OPENAI_ROUTE_PREFIX').strip('/')}"),
        *_further_apis(environment),
        (
            "Keys",
            f"{_provider_keys(environment)}, {_keys(environment, 'FORWARD_KEY', 'forward key')}",
        ),
        ("Cache", _cache(environment)),
        *(tuple(_limits(environment)) or (("Limits", "none"),)),
    )


def _further_apis(environment: Mapping[str, str]) -> Iterator[Row]:
    urls = entries(environment.get("EXTRA_BASE_URL", ""))
    prefixes = entries(environment.get("EXTRA_ROUTE_PREFIX", ""))
    for url, prefix in zip(urls, prefixes, strict=False):
        yield "Further API", f"{url_for_display(url)} at /{prefix.strip('/')}"


def _provider_keys(environment: Mapping[str, str]) -> str:
    if uses_azure(environment) and _has_keys(environment, "AZURE_OPENAI_TOKEN"):
        return _keys(environment, "AZURE_OPENAI_TOKEN", "API key")
    return _keys(environment, "OPENAI_API_KEY", "API key")


def _has_keys(environment: Mapping[str, str], name: str) -> bool:
    return bool(_value(environment, name) or _value(environment, f"{name}_PARAMETER"))


def _keys(environment: Mapping[str, str], name: str, what: str) -> str:
    count = len(entries(environment.get(name, "")))
    if not count and _value(environment, f"{name}_PARAMETER"):
        return f"{what}s from SSM"
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _cache(environment: Mapping[str, str]) -> str:
    if _value(environment, "CACHE_CHAT_COMPLETION").lower() != "true":
        return "off"
    backend = _value(environment, "CACHE_BACKEND").upper() or "SQLITE"
    ttl = _value(environment, "CACHE_TTL") or DEFAULT_CACHE_TTL
    shared = _value(environment, "CACHE_SCOPE") == "all"
    return f"{backend}, {_duration(ttl)}, {'for all' if shared else 'per principal'}"


def _duration(seconds: str) -> str:
    """Return "1 day" for "86400". The functions say what is wrong with an invalid value."""
    if not seconds.isdecimal():
        return f"{seconds} seconds"
    unit, length = next(each for each in _UNITS if int(seconds) % each[1] == 0)
    count = int(seconds) // length
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _limits(environment: Mapping[str, str]) -> Iterator[Row]:
    """Yield a row for each limit."""
    requests = _rates(environment, "REQ_RATE_LIMIT", "requests")
    others = _value(environment, "GLOBAL_RATE_LIMIT")
    if others.lower() not in _NO_LIMIT:
        requests.append(f"{'other paths' if requests else 'all paths'}: {others} requests")
    for text in requests:
        yield "Limit", text
    if requests:
        yield "Strategy", _value(environment, "RATE_LIMIT_STRATEGY") or "fixed-window"
    for text in _rates(environment, "TOKEN_RATE_LIMIT", "events of a stream"):
        yield "Pace", text
    for word, name in (("only", "IP_WHITELIST"), ("never", "IP_BLACKLIST")):
        if found := entries(environment.get(name, "")):
            yield "Addresses", f"{word} {', '.join(found)}"


def _rates(environment: Mapping[str, str], name: str, unit: str) -> list[str]:
    """Return one text per route. The functions say what is wrong with an invalid value."""
    try:
        routes = json.loads(_value(environment, name) or "{}")
        rates = {route: _rate(value) for route, value in routes.items()}
    except (ValueError, AttributeError, TypeError, KeyError):
        return []
    return [f"{route}: {rate} {unit}" for route, rate in rates.items()]


def _rate(value: object) -> str:
    """Return the text of a rate, or that of level 0 in openai-forward's newer form."""
    if isinstance(value, list):
        return ", ".join(str(entry["limit"]) for entry in value)
    return str(value)


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip()
