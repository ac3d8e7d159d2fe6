"""Ports."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from local.errors import ConfigurationError, PortInUseError
from local.http.listening import _WithoutBadRequests, bind, port_of


def test_port_0_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0, "--http-port") as listening:
        assert port_of(listening) > 0


def test_port_in_use_names_the_option() -> None:
    with bind("127.0.0.1", 0, "--http-port") as listening:
        port = port_of(listening)
        with pytest.raises(PortInUseError, match=f"port {port} on .* with --ws-port"):
            bind("127.0.0.1", port, "--ws-port")


def test_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1"):
        bind("192.0.2.1", 0, "--http-port")


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_host_that_no_name_can_be_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot listen on {host}"):
        bind(host, 0, "--http-port")


def record(error: Exception) -> logging.LogRecord:
    return logging.LogRecord("x", logging.ERROR, "", 1, "m", (), (type(error), error, None))


def test_requests_that_are_not_http_are_not_logged() -> None:
    log_filter = _WithoutBadRequests()
    assert not log_filter.filter(record(BadHttpMessage("authorization: secret")))
    assert log_filter.filter(record(KeyError("bug")))
    assert log_filter.filter(logging.LogRecord("x", logging.ERROR, "", 1, "m", (), None))
