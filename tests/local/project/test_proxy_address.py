"""AZURE_OPENAI_PROXY_ADDRESS."""

from __future__ import annotations

import pytest

from local.errors import ConfigurationError
from local.project.proxy_address import DEFAULT_ADDRESS, ProxyAddress, proxy_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", DEFAULT_ADDRESS),
        ("  ", DEFAULT_ADDRESS),
        ("0.0.0.0:8080", ProxyAddress("0.0.0.0", 8080)),  # noqa: S104
        (":8080", ProxyAddress("0.0.0.0", 8080)),  # noqa: S104
        (" 127.0.0.1:0 ", ProxyAddress("127.0.0.1", 0)),
        ("localhost:65535", ProxyAddress("localhost", 65535)),
        ("[::1]:8080", ProxyAddress("::1", 8080)),
        ("[::]:8080", ProxyAddress("::", 8080)),
    ],
)
def test_address_of_the_older_proxy_is_read(text: str, address: ProxyAddress) -> None:
    assert proxy_address(text) == address


@pytest.mark.parametrize(
    "text", ["8080", "127.0.0.1", "127.0.0.1:", "a:b", "::1:80", "a:65536", "http://a:80", "a b:1"]
)
def test_invalid_address_is_a_message_that_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_PROXY_ADDRESS must be host:port"):
        proxy_address(text)
