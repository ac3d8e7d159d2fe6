"""Opening a connection: address after address, within one time-out, and stopped by others."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import Cancelled, UpstreamUnreachable
from sluice.http.opening import open_socket
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S, refused_url
from tests.sluice.deadlines import FOREVER
from tests.sluice.upstream.test_client import BODY, client_of

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


def test_answer_is_stopped_while_its_connection_is_made(silent: Address) -> None:
    host, port = silent
    asker = client_of(f"http://{host}:{port}/v1", UPSTREAM_CONNECT_TIMEOUT="600")
    stop_signal = StopSignal()
    reason = Cancelled("The client cancelled this request.")
    stopping = threading.Timer(0.05, stop_signal.stop, [reason])
    stopping.start()
    with pytest.raises(Cancelled):
        asker.chat(BODY, FOREVER, stop_signal)
    stopping.join()


@pytest.fixture
def mute() -> Iterator[str]:
    """Where connections are taken and nothing is said on them, as host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


def through_tls(mute: str) -> dict[str, str]:
    return {"url": f"https://{mute}/v1"}


def through_a_tunnel(mute: str) -> dict[str, str]:
    return {"url": "https://api.example.com/v1", "PROXY": f"http://{mute}"}


@pytest.mark.parametrize("way", [through_tls, through_a_tunnel])
def test_silence_before_the_request_is_that_of_the_connection(
    mute: str, way: Callable[[str], dict[str, str]]
) -> None:
    client = client_of(**way(mute), UPSTREAM_CONNECT_TIMEOUT="0.2")
    with pytest.raises(UpstreamUnreachable, match="UPSTREAM_CONNECT_TIMEOUT"):
        client.chat(BODY, FOREVER)


@pytest.mark.parametrize("way", [through_tls, through_a_tunnel])
def test_answer_is_stopped_before_its_request(
    mute: str, way: Callable[[str], dict[str, str]]
) -> None:
    client = client_of(**way(mute), UPSTREAM_CONNECT_TIMEOUT="600")
    stop_signal = StopSignal()
    stopping = threading.Timer(0.05, stop_signal.stop, [Cancelled("No more.")])
    stopping.start()
    with pytest.raises(Cancelled):
        client.chat(BODY, FOREVER, stop_signal)
    stopping.join()


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


def test_host_that_can_be_no_name_is_a_connection_error() -> None:
    with pytest.raises(UpstreamUnreachable):
        client_of(f"http://{'x' * 64}.example/v1").chat(BODY, FOREVER)


def test_what_connections_are_stopped_by_leaves_nothing_open() -> None:
    asker = client_of(refused_url())
    before = open_files()
    for _ in range(20):
        with pytest.raises(UpstreamUnreachable):
            asker.chat(BODY, FOREVER)
    assert open_files() < before + 20


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
