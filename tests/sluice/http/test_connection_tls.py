"""Connections under TLS: whom they trust, and how they end."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.http.connection import (
    HttpConnection,
    Origin,
    Proxy,
)
from sluice.http.http1 import HttpError
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.connection_asking import (
    OK,
    ask,
    connected,
    keeps_serving,
    reset,
    under_tls,
)
from tests.sluice.http.served_connections import RealProxy, read_head, says, served

if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[str, int]


@pytest.mark.parametrize(
    ("certified", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("localhost", "localhost."),
        ("*.api.example", "eu.api.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_host_is_the_one_of_the_certificate(
    certified: str, asked: str, authority: CertificateAuthority
) -> None:
    script = under_tls(authority.serving(certified), keeps_serving)
    with served(script) as upstream, served(RealProxy(upstream)) as proxy:
        for _ in range(2):
            with connected((asked, 443), Proxy(*proxy, {}), authority) as connection:
                assert ask(connection) == (200, b"ok", True)
                assert ask(connection) == (200, b"ok", True)
                assert not connection.is_stale()


@pytest.mark.parametrize(
    ("certified", "asked", "days"),
    [
        ("localhost", "127.0.0.1", 1),
        ("127.0.0.2", "127.0.0.1", 1),
        ("127.0.0.1", "localhost", 1),
        ("api.example", "example", 1),
        ("*.api.example", "a.eu.api.example", 1),
        ("api.example", "api.example.org", 1),
        ("api.example", "api.example", -1),
    ],
    ids=str,
)
def test_host_that_is_not_the_one_of_the_certificate_is_not_asked(
    certified: str, asked: str, days: int, authority: CertificateAuthority
) -> None:
    heads: list[bytes] = []
    context = authority.serving(certified, days=days)
    script = under_tls(context, lambda connection: heads.append(read_head(connection)))
    with (
        served(script) as upstream,
        served(RealProxy(upstream)) as proxy,
        connected((asked, 443), Proxy(*proxy, {}), authority) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        connection.open(PATIENCE_S)
    assert heads == []


def test_authority_that_is_not_trusted_is_not_asked(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other")
    with served(under_tls(authority.serving("127.0.0.1"), keeps_serving)) as address:
        for trusted in (str(other.file), None):
            connection = HttpConnection(Origin("https", *address), None, trusted)
            with pytest.raises(ssl.SSLCertVerificationError):
                connection.open(PATIENCE_S)
            connection.close()


@pytest.mark.parametrize(
    "script",
    [says(OK), lambda c: c.recv(1) and c.sendall(OK), lambda c: c.recv(1) and None],
    ids=["silent", "no TLS", "hangs up"],
)
def test_server_without_tls_is_an_os_error(
    script: Callable[[socket.socket], object], authority: CertificateAuthority
) -> None:
    with (
        served(script) as address,
        connected(address, authority=authority) as connection,
        pytest.raises(OSError, match=r"SSL|EOF|timed out|reset"),
    ):
        connection.open(0.2)


def test_connection_that_is_cut_off_before_its_handshake_is_not_open(
    authority: CertificateAuthority,
) -> None:
    """Python takes it for one yet to be connected, and would send what comes without TLS."""
    is_closed = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1)
        connection.close()
        is_closed.set()

    class CutOff(HttpConnection):
        def _wrap_in_tls(self, end: float) -> None:
            self.shut_down()
            assert is_closed.wait(PATIENCE_S)
            super()._wrap_in_tls(end)

    with served(script) as address:
        connection = CutOff(Origin("https", *address), None, str(authority.file))
        with pytest.raises(OSError, match=r"not connected|Broken pipe"):
            connection.open(PATIENCE_S)
        connection.close()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("ending", ["closed", "reset", "closed as TLS wants it"])
def test_connection_that_was_closed_meanwhile_is_stale(
    ending: str,
    is_encrypted: bool,  # noqa: FBT001 -- a parameter of the test
    authority: CertificateAuthority,
) -> None:
    may_close, is_closed = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(OK)
        assert may_close.wait(PATIENCE_S)
        if ending == "reset":
            reset(connection)
        elif ending == "closed" or not isinstance(connection, ssl.SSLSocket):
            connection.close()
        else:
            connection.settimeout(0)
            with suppress(OSError):  # the other side does not answer it
                connection.unwrap()
        is_closed.set()
        may_end.wait(PATIENCE_S)

    may_end = threading.Event()
    serving = under_tls(authority.serving("127.0.0.1"), script) if is_encrypted else script
    with (
        served(serving) as address,
        connected(address, authority=authority if is_encrypted else None) as connection,
    ):
        assert ask(connection).is_kept
        assert not connection.is_stale()
        may_close.set()
        assert is_closed.wait(PATIENCE_S)
        assert connection.is_stale()
        with pytest.raises((OSError, HttpError)):
            ask(connection)
        may_end.set()
