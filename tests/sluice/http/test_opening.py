"""Opening a connection: one address after another, within one timeout, and stopped by others."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sluice.http.opening import open_socket
from tests.scripted_upstream import PATIENCE_S, closed_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Address = tuple[str, int]


@pytest.fixture
def silent() -> Iterator[Address]:
    """An address that neither accepts nor refuses connections: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.fixture
def listening() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def found(address: Address, family: int = socket.AF_INET) -> Any:
    """An entry of what getaddrinfo returns."""
    return family, socket.SOCK_STREAM, 0, "", address


def ignore(_connection: socket.socket) -> None:
    """Nobody else stops this connection."""


def opened(
    timeout_s: float, *addresses: Any, watch: Callable[[socket.socket], None] = ignore
) -> socket.socket:
    """A connection to a name that resolves to these addresses."""
    return open_socket("name", 1, timeout_s, watch, lambda *_, **__: list(addresses))


def refusing() -> Any:
    return found(("127.0.0.1", closed_port()))


def test_next_address_is_tried_after_one_refuses(listening: Address) -> None:
    with opened(5.0, refusing(), found(listening)) as connection:
        assert connection.getpeername() == listening


def test_address_of_an_unknown_family_is_skipped(listening: Address) -> None:
    with opened(5.0, found(listening, family=999), found(listening)) as connection:
        assert connection.getpeername() == listening


def test_silent_address_leaves_time_for_the_next(silent: Address, listening: Address) -> None:
    with opened(0.2, found(silent), found(listening)) as connection:
        assert connection.getpeername() == listening
        assert connection.gettimeout() == 0.2


def test_all_addresses_share_one_timeout(silent: Address) -> None:
    with pytest.raises(TimeoutError):  # and not after the 100 s that one each would take
        opened(0.5, *[found(silent)] * 200)


def test_last_refusal_is_raised() -> None:
    with pytest.raises(ConnectionRefusedError):
        opened(5.0, refusing(), refusing())


def test_connection_that_is_shut_down_while_it_opens_ends_at_once(silent: Address) -> None:
    with pytest.raises(ConnectionError):
        opened(PATIENCE_S, found(silent), watch=lambda socket_: socket_.shutdown(socket.SHUT_RDWR))


def test_segments_are_sent_at_once(listening: Address) -> None:
    """Or a body would wait for the acknowledgment of its head."""
    with open_socket(*listening, 5.0, ignore) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
