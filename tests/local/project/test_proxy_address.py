"""AZURE_OPENAI_PROXY_ADDRESS, and the command line over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.command_line import parser, stack_options
from local.errors import ConfigurationError, SamePortError
from local.project.environment import UserSettings
from local.project.proxy_address import DEFAULT_ADDRESS, VARIABLE, ProxyAddress, proxy_address
from tests.local.functions.stand_in_service import write_service
from tests.running_stack import stack


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
def test_address_of_the_older_proxy_is_understood(text: str, address: ProxyAddress) -> None:
    assert proxy_address(text) == address


@pytest.mark.parametrize(
    "text", ["8080", "127.0.0.1", "127.0.0.1:", "a:b", "::1:80", "a:65536", "http://a:80", "a b:1"]
)
def test_another_text_is_a_sentence_that_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_PROXY_ADDRESS must be host:port"):
        proxy_address(text)


@pytest.mark.parametrize(
    ("arguments", "shell", "dotenv", "listens_on"),
    [
        ((), "", "", ("127.0.0.1", 3000)),
        ((), "localhost:8080", "", ("localhost", 8080)),
        ((), "", "localhost:8080", ("localhost", 8080)),
        ((), "localhost:8080", "localhost:8081", ("localhost", 8080)),
        (("--http-port", "0"), "localhost:8080", "", ("localhost", 0)),
        (("--host", "127.0.0.1"), ":8080", "", ("127.0.0.1", 8080)),
        (("--host", "127.0.0.1", "--http-port", "3000"), ":8080", "", ("127.0.0.1", 3000)),
    ],
)
def test_command_line_comes_before_the_address_and_the_shell_before_the_file(
    arguments: tuple[str, ...], shell: str, dotenv: str, listens_on: tuple[str, int]
) -> None:
    user = UserSettings(
        {VARIABLE: shell} if shell else {},
        {VARIABLE: dotenv} if dotenv else {},
    )
    options = stack_options(parser().parse_args(arguments), user)
    assert (options.host, options.http_port) == listens_on
    assert options.ws_port == 3001


def test_address_may_not_be_the_port_of_the_websockets() -> None:
    with pytest.raises(SamePortError):
        stack_options(parser().parse_args([]), UserSettings({VARIABLE: ":3001"}, {}))


def test_stack_listens_on_the_host_of_the_address(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), AZURE_OPENAI_PROXY_ADDRESS="localhost:8080") as it:
        url, websocket_url = it.wait_ready()
        assert url.startswith("http://localhost:")
        assert websocket_url.startswith("ws://localhost:")


def test_host_of_the_address_is_checked_as_any_other(tmp_path: Path) -> None:
    environ = {VARIABLE: "0.0.0.0:8080", "WEBSOCKET_AUTH": "none"}
    with stack(write_service(tmp_path), **environ) as it:
        assert it.wait() == 1
        assert "WEBSOCKET_AUTH=none is for loopback" in it.text()


def test_address_that_is_none_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), AZURE_OPENAI_PROXY_ADDRESS="8080") as it:
        assert it.wait() == 1
        (line,) = it.lines
        assert line.startswith("error: AZURE_OPENAI_PROXY_ADDRESS must be host:port")
