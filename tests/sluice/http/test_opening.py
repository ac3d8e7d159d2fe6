"""Opening a connection: address after address, within one time-out, and stopped by others."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sluice.http.opening import open_socket
from tests.scripted_upstream import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Address = tuple[str, int]


@pytest.fixture
def silent() -> Iterator[Address]:
    """An address that neither takes a connection nor refuses it: its queue is full."""
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


def resolving(*addresses: Address) -> Callable[..., list[Any]]:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    return lambda *_, **__: found


def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: Address = listener.getsockname()
    return address


def watched_by_nobody(_connection: socket.socket) -> None: ...


def test_next_address_is_tried_when_one_refuses(listening: Address) -> None:
    resolve = resolving(refusing(), listening)
    with open_socket("name", 1, 5.0, watched_by_nobody, resolve) as connection:
        assert connection.getpeername() == listening


def test_silent_address_leaves_time_for_the_next(silent: Address, listening: Address) -> None:
    resolve = resolving(silent, listening)
    with open_socket("name", 1, 0.2, watched_by_nobody, resolve) as connection:
        assert connection.getpeername() == listening
        assert connection.gettimeout() == 0.2


def test_all_addresses_share_one_time_out(silent: Address) -> None:
    with pytest.raises(TimeoutError):  # and not after the 100 s that one each would take
        open_socket("name", 1, 0.5, watched_by_nobody, resolving(*[silent] * 200))


def test_connection_that_everybody_refuses_says_so() -> None:
    with pytest.raises(ConnectionRefusedError):
        open_socket("name", 1, 5.0, watched_by_nobody, resolving(refusing(), refusing()))


def test_connection_that_is_shut_down_while_it_is_made_ends_at_once(silent: Address) -> None:
    def shut_down(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(ConnectionError):
        open_socket("name", 1, PATIENCE_S, shut_down, resolving(silent))


def test_segments_are_sent_at_once(listening: Address) -> None:
    """Or a body would wait for the acknowledgment of its head."""
    with open_socket(*listening, 5.0, watched_by_nobody) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_address_of_a_family_that_the_machine_lacks_is_passed_over(listening: Address) -> None:
    found = [
        (999, socket.SOCK_STREAM, 0, "", listening),
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", listening),
    ]
    with open_socket("name", 1, 5.0, watched_by_nobody, lambda *_, **__: found) as connection:
        assert connection.getpeername() == listening
