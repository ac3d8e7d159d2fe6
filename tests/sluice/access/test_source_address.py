"""IP_WHITELIST and IP_BLACKLIST, on both transports."""

from __future__ import annotations

import json

import pytest

from sluice.access.identity import Access
from sluice.access.source_address import check_address
from sluice.errors import AddressNotAllowed
from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.websocket.admission import admit
from sluice.websocket.events import ConnectRequest
from tests.sluice.url.asking import answer_to, event_of, gateway_of

HOME = {"IP_WHITELIST": "192.0.2.0/24,2001:db8::/32", "IP_BLACKLIST": '["192.0.2.7"]'}


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_address_in_the_whitelist_passes(address: str) -> None:
    check_address(address, read_settings(HOME))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("192.0.2.7", "is in IP_BLACKLIST"),
        ("::ffff:192.0.2.7", "is in IP_BLACKLIST"),
        ("::ffff:c000:207", "is in IP_BLACKLIST"),
        ("198.51.100.1", "is not in IP_WHITELIST"),
        ("::1", "is not in IP_WHITELIST"),
        ("", "is unknown"),
        ("192.0.2.1, 10.0.0.1", "is unknown"),
    ],
)
def test_other_addresses_are_kept_out(address: str, message: str) -> None:
    with pytest.raises(AddressNotAllowed, match=message):
        check_address(address, read_settings(HOME))


def test_blacklist_alone_keeps_out_what_it_names() -> None:
    settings = read_settings({"IP_BLACKLIST": "10.0.0.0/8"})
    check_address("192.0.2.1", settings)
    with pytest.raises(AddressNotAllowed):
        check_address("10.1.2.3", settings)


def test_url_asks_for_the_address_that_aws_saw() -> None:
    headers = {"x-forwarded-for": "192.0.2.1"}
    event = event_of("GET", "/healthz", headers=headers)
    event["requestContext"]["http"]["sourceIp"] = "198.51.100.1"
    reply = answer_to(event, gateway_of(**HOME))
    assert reply.metadata["statusCode"] == 403
    assert reply.error["code"] == "address_not_allowed"
    assert reply.headers["x-should-retry"] == "false"
    event["requestContext"]["http"]["sourceIp"] = "192.0.2.1"
    assert answer_to(event, gateway_of(**HOME)).metadata["statusCode"] == 200


def test_websocket_opens_to_allowed_addresses_only(capsys: pytest.CaptureFixture[str]) -> None:
    settings = read_settings({"WEBSOCKET_AUTH": "none", **HOME})
    access = Access(settings, KeyRing(settings.forward_keys, str))
    request = ConnectRequest("c", "r", {}, {}, source_ip="198.51.100.1")
    assert admit(request, settings, access).answer == {"statusCode": 403}
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcome"] == "address_not_allowed"
    allowed = request._replace(source_ip="192.0.2.1")
    assert admit(allowed, settings, access).answer["statusCode"] == 200
