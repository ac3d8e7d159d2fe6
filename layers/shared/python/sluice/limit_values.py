"""The values of settings that limit use: rates, prices, addresses. Imported where one is set.

Each parser raises InvalidValue, whose sentence goes on from "NAME must".
"""

from __future__ import annotations

import json
import re

from sluice.errors import InvalidValue
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network
    from typing import Any

SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "month": 30 * 86_400,
    "year": 360 * 86_400,
}
"""Length of each unit, as the package `limits` counts, whose notation openai-forward has.
https://limits.readthedocs.io/en/stable/quickstart.html#rate-limit-string-notation"""
NUMBER = r"([1-9]\d{0,8})"
RATE = rf"(?ai)\s*{NUMBER}\s*(?:/|\s*per\s*)\s*{NUMBER}?\s*({'|'.join(SECONDS)})s?\s*"
UNLIMITED = "inf"
RATES_RULE = "must be rates such as 100/2minutes;600/hour, or inf"
ROUTES_RULE = 'must be JSON such as {"/v1/chat/completions": "100/2minutes;600/hour"}'
PRICES_RULE = 'must be JSON such as {"my-model": {"input": 0.5, "cached_input": 0.1, "output": 2}}'
MAPPED_BITS = 96
"""Length of ::ffff:0:0, before an IPv4 address written as an IPv6 one. RFC 4291 section 2.5.5.2."""
NANO = 1000  # USD per million tokens are thousands of nano-USD per token


class Rate(NamedTuple):
    """At most `amount` in each window of `seconds`."""

    amount: int
    seconds: int


class RouteRates(NamedTuple):
    """The rates of all paths that begin with `prefix`; none for no limit."""

    prefix: str
    rates: tuple[Rate, ...]


def rates(text: str) -> tuple[Rate, ...]:
    """100/2minutes;600/hour. None for "inf" and an empty text."""
    if text.strip().lower() in ("", UNLIMITED):
        return ()
    return _smallest(_rate(part) for part in re.split("[;,|]", text))


def route_rates(text: str) -> tuple[RouteRates, ...]:
    """An object of rates by route, or openai-forward's newer form with levels.

    There a route has a list of {"level": 0, "limit": "60/minute"}. Levels above 0 are what records
    of keys are for.
    """
    try:
        document = json.loads(text.strip() or "{}", object_pairs_hook=_each_once)
        routes = [(_route(name), _rates(value)) for name, value in document.items()]
    except (AttributeError, TypeError, KeyError, json.JSONDecodeError):
        raise InvalidValue(ROUTES_RULE) from None
    _each_once([(name.lower(), value) for name, value in routes])
    return tuple(RouteRates(*route) for route in routes)


def route_of(path: str, routes: Iterable[RouteRates]) -> RouteRates | None:
    """The route with the longest prefix of a path, read as leniently as some servers do."""
    begin = re.sub("%2f|%3b|;", "/", path.lower()) + "/"
    matches = [r for r in routes if begin.startswith(f"{r.prefix.lower()}/")]
    return max(matches, key=lambda route: len(route.prefix), default=None)


def model_prices(text: str) -> dict[str, tuple[int, int, int]]:
    """Nano-USD per token of input, cached input and output, by the model's name in lower case.

    Written as USD per million tokens. Without cached_input, cached tokens cost as much as others.
    """
    try:
        document = json.loads(text or "{}")
        return {model.lower(): _price(**prices) for model, prices in document.items()}
    except (ValueError, TypeError, AttributeError):
        raise InvalidValue(PRICES_RULE) from None


def networks(entries: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32."""
    from ipaddress import IPv4Network, IPv6Network, ip_network  # noqa: PLC0415 -- 4 ms, few need it

    def network(entry: str) -> IPv4Network | IPv6Network:
        found = ip_network(entry, strict=False)
        mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
        if mapped is None or found.prefixlen < MAPPED_BITS:
            return found
        return IPv4Network((mapped, found.prefixlen - MAPPED_BITS))

    try:
        return tuple(map(network, entries))
    except ValueError as error:
        rule = "must be addresses and networks such as 192.0.2.7,10.0.0.0/8"
        raise InvalidValue(rule, str(error)) from None


def _rate(text: str) -> Rate:
    found = re.fullmatch(RATE, text)
    if found is None:
        raise InvalidValue(RATES_RULE, repr(text))
    amount, multiple, unit = found.groups()
    return Rate(int(amount), int(multiple or 1) * SECONDS[unit.lower()])


def _route(name: str) -> str:
    if not name.startswith("/"):
        raise InvalidValue(f"{ROUTES_RULE}; each route begins with a slash", repr(name))
    return name.rstrip("/")


def _rates(value: Any) -> tuple[Rate, ...]:
    if isinstance(value, str):
        return rates(value)
    levels = [(str(entry["level"]), rates(entry["limit"])) for entry in value]
    if any(level != "0" for level, _ in levels):
        hint = "Give those keys a record: npm run keys -- create"
        raise InvalidValue("must have no level above 0", hint=hint)
    return _smallest(rate for _, found in levels for rate in found)


def _smallest(found: Iterable[Rate]) -> tuple[Rate, ...]:
    """Of several rates for windows of one length the smallest: they would share a counter."""
    by_length: dict[int, Rate] = {}
    for rate in found:
        by_length[rate.seconds] = min(rate, by_length.get(rate.seconds, rate))
    return tuple(by_length.values())


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; JSON would drop all but the last of several members of one name."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue("must name nothing twice", repr(name))
    return dict(pairs)


def _price(input: float, output: float, cached_input: float | None = None) -> tuple[int, int, int]:  # noqa: A002 -- the setting's names
    cached = input if cached_input is None else cached_input
    for price in (input, cached, output):
        if not (isinstance(price, int | float) and 0 <= price < float("inf")):
            raise InvalidValue(PRICES_RULE)
    return round(input * NANO), round(cached * NANO), round(output * NANO)
