"""Ports."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from local.errors import ConfigurationError
from local.http.listening import _WithoutClientsFaults, bind, port_of


def test_port_0_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0, "--http-port") as listening:
        assert port_of(listening) > 0


def test_port_in_use_names_the_option() -> None:
    with bind("127.0.0.1", 0, "--http-port") as listening:
        port = port_of(listening)
        with pytest.raises(ConfigurationError, match=f"Port {port} on .* with --ws-port"):
            bind("127.0.0.1", port, "--ws-port")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "port 0: Cannot assign requested address"),
        ("a..b", "must be a host name"),
        ("a" * 64, "must be a host name"),
    ],
)
def test_host_of_another_machine_or_no_host_is_rejected(host: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Cannot listen on {host}.* {reason}"):
        bind(host, 0, "--http-port")


def record(error: Exception) -> logging.LogRecord:
    return logging.LogRecord("x", logging.ERROR, "", 1, "m", (), (type(error), error, None))


def test_malformed_requests_are_not_logged() -> None:
    log_filter = _WithoutClientsFaults()
    assert not log_filter.filter(record(BadHttpMessage("authorization: secret")))
    assert not log_filter.filter(record(ConnectionResetError("left")))
    assert log_filter.filter(record(KeyError("bug")))
    assert log_filter.filter(logging.LogRecord("x", logging.ERROR, "", 1, "m", (), None))
