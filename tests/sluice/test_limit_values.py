"""Values of settings that limit use, as openai-forward's users write them."""

from __future__ import annotations

import pytest

from sluice.limit_values import Rate, RouteRates, model_prices, networks, rates, route_rates
from sluice.setting_values import InvalidValue

CHAT = "/v1/chat/completions"
MINUTE = Rate(60, 60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100/2minutes;600/hour", (Rate(100, 120), Rate(600, 3600))),
        ("60/minute", (Rate(60, 60),)),
        (" 1 per 1 second , 10per day", (Rate(1, 1), Rate(10, 86_400))),
        ("5/10Seconds|1/month|7/2years", (Rate(5, 10), Rate(1, 2_592_000), Rate(7, 62_208_000))),
        ("inf", ()),
        ("", ()),
    ],
)
def test_rates_are_read(text: str, expected: tuple[Rate, ...]) -> None:
    assert rates(text) == expected


@pytest.mark.parametrize("text", ["60", "0/minute", "60/fortnight", "-1/minute", "60/minute;", "x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="must be rates such as"):
        rates(text)


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("", ()),
        ("{}", ()),
        (f'{{"{CHAT}": "60/minute;600/hour"}}', (RouteRates(CHAT, (MINUTE, Rate(600, 3600))),)),
        ('{"/v1/": "inf"}', (RouteRates("/v1", ()),)),
        (f'{{"{CHAT}": [{{"level": 0, "limit": "60/minute"}}]}}', (RouteRates(CHAT, (MINUTE,)),)),
        (f'{{"{CHAT}": "99/60 seconds;60/minute;61/minute"}}', (RouteRates(CHAT, (MINUTE,)),)),
        (
            '{"/v1": [{"level": 0, "limit": "60/minute"}, {"level": "0", "limit": "1/day"}]}',
            (RouteRates("/v1", (MINUTE, Rate(1, 86_400))),),
        ),
        (" ", ()),
        (f'{{"{CHAT}": []}}', (RouteRates(CHAT, ()),)),
    ],
)
def test_forms_of_openai_forward_are_read(text: str, routes: tuple[RouteRates, ...]) -> None:
    assert route_rates(text) == routes


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("60/minute", "must be JSON such as"),
        ("[]", "must be JSON such as"),
        ('{"v1": "60/minute"}', "begins with a slash"),
        ('{"/v1": 60}', "must be JSON such as"),
        ('{"/v1": "60"}', "must be rates such as"),
        ('{"/v1": [{"limit": "60/minute"}]}', "must be JSON such as"),
        ('{"/v1": [{"level": 1, "limit": "60/minute"}]}', "must have no level above 0"),
        ('{"/v1": "60/minute", "/v1": "inf"}', "must name nothing twice"),
        ('{"/v1/": "60/minute", "/V1": "inf"}', "must name nothing twice"),
        ('{"/v1": [{"level": 0, "level": 0, "limit": "60/minute"}]}', "must name nothing twice"),
    ],
)
def test_other_route_rates_are_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue, match=rule):
        route_rates(text)


@pytest.mark.parametrize(
    "text",
    ["x", "[]", '{"a": 1}', '{"a": {"input": 1}}', '{"a": {"input": -1, "output": 1}}',
     '{"a": {"input": "1", "output": 1}}', '{"a": {"input": 1, "output": 1, "more": 1}}',
     '{"a": {"input": NaN, "output": 1}}'],
)  # fmt: skip
def test_other_model_prices_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="must be JSON such as"):
        model_prices(text)


def test_addresses_and_networks_are_read() -> None:
    found = networks(["192.0.2.7", "10.1.2.3/8", "2001:db8::/32", "::ffff:10.1.2.3/104", "::/0"])
    assert list(map(str, found)) == [
        *("192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "10.0.0.0/8", "::/0"),
    ]
    with pytest.raises(InvalidValue, match="must be addresses and networks"):
        networks(["192.0.2.300"])
