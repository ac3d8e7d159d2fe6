"""What the transport by `requests` alone can do: https and SOCKS proxies, and the environment's."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sluice.errors import Cancelled
from sluice.http.errors import CONNECT, CannotConnect, Stopped, TimedOut, UntrustedCertificate
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import refused_url
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.served_connections import RealProxy, served, under_tls
from tests.sluice.http.socks_proxy import SocksProxy
from tests.sluice.upstream.transports.sending import Sender, by_requests, keeps_serving, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Address = tuple[str, int]

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` reads the environment itself."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Upstreams(NamedTuple):
    """authority: signs for 127.0.0.1 and api.example."""

    http: Address
    https: Address
    authority: CertificateAuthority

    def address(self, scheme: str) -> Address:
        return self.https if scheme == "https" else self.http


@pytest.fixture
def upstreams(authority: CertificateAuthority) -> Iterator[Upstreams]:
    context = authority.serving("127.0.0.1", "api.example")
    with ExitStack() as stack:
        http = stack.enter_context(served(keeps_serving))
        https = stack.enter_context(served(under_tls(context, keeps_serving)))
        yield Upstreams(http, https, authority)


def sent_through(proxy: str | None, url: str, authority: CertificateAuthority) -> None:
    """Two requests, the second over the connection of the first."""
    with closing(by_requests(proxy, str(authority.file))) as transport:
        sender = Sender(transport, url)
        assert sender.send() == (200, b"ok")
        assert sender.send() == (200, b"ok")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_proxy_is_spoken_to_under_tls(scheme: str, upstreams: Upstreams) -> None:
    proxy = RealProxy(upstreams.address(scheme))
    with served(under_tls(upstreams.authority.serving("127.0.0.1"), proxy)) as (host, port):
        url = f"https://user:pass@{host}:{port}"
        sent_through(url, f"{scheme}://api.example:8443/v1", upstreams.authority)
    assert proxy.heads[0].startswith(b"CONNECT " if scheme == "https" else b"POST http://api.")
    assert b"proxy-authorization: basic dxnlcjpwyxnz" in proxy.heads[0].lower()


def test_https_proxy_without_a_trusted_certificate_gets_no_request(
    upstreams: Upstreams, tmp_path: Path
) -> None:
    proxy = RealProxy(upstreams.http)
    (tmp_path / "another").mkdir()
    stranger = CertificateAuthority(tmp_path / "another")
    with (
        served(under_tls(stranger.serving("127.0.0.1"), proxy)) as (host, port),
        pytest.raises(UntrustedCertificate) as caught,
    ):
        sent_through(f"https://{host}:{port}", "http://api.example/", upstreams.authority)
    assert caught.value.reason == "unable to get local issuer certificate"
    assert proxy.heads == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_socks_proxy_finds_the_host(scheme: str, upstreams: Upstreams) -> None:
    proxy = SocksProxy(upstreams.address(scheme), "user:pass")
    with served(proxy) as (host, port):
        url = f"socks5h://user:pass@{host}:{port}"
        sent_through(url, f"{scheme}://api.example:8443/v1", upstreams.authority)
    assert proxy.asked == ["api.example:8443"]


def test_socks5_without_an_h_finds_the_host_itself(upstreams: Upstreams) -> None:
    proxy = SocksProxy(upstreams.http)
    with served(proxy) as (host, port):
        sent_through(f"socks5://{host}:{port}", "http://localhost:80/", upstreams.authority)
    assert proxy.asked == ["127.0.0.1:80"]


@pytest.mark.parametrize("login", ["", "other:words"])
def test_socks_proxy_that_refuses_is_no_connection(login: str, upstreams: Upstreams) -> None:
    proxy = SocksProxy(upstreams.http, login, allows=False)
    with served(proxy) as (host, port), pytest.raises(CannotConnect):
        sent_through(
            f"socks5h://user:pass@{host}:{port}", "http://api.example/", upstreams.authority
        )


@pytest.mark.parametrize("scheme", ["https", "socks5h"])
def test_proxy_that_says_nothing_is_given_up_and_stopped(scheme: str) -> None:
    reached, done, signal = threading.Event(), threading.Event(), StopSignal()

    def script(_connection: object) -> None:
        reached.set()
        done.wait(20)

    def stop_once_reached() -> None:
        reached.wait(20)
        signal.stop(Cancelled("No more."))

    with (
        served(script) as (host, port),
        closing(by_requests(f"{scheme}://{host}:{port}")) as transport,
    ):
        sender = Sender(transport, "http://api.example/")
        with pytest.raises(TimedOut) as caught:
            sender.send(wait=waits(connect_s=0.1))
        assert caught.value.wait == CONNECT
        reached.clear()
        done.set()
        done.clear()
        stopping = threading.Thread(target=stop_once_reached)
        stopping.start()
        with pytest.raises(Stopped):
            sender.send(stop=signal)
        stopping.join()
        done.set()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_environment_names_the_proxy_unless_the_setting_does(
    scheme: str, upstreams: Upstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = RealProxy(upstreams.address(scheme))
    with served(proxy) as (host, port):
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://{host}:{port}")
        sent_through(None, f"{scheme}://api.example/", upstreams.authority)
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", refused_url())
        sent_through(f"http://{host}:{port}", f"{scheme}://api.example/", upstreams.authority)
    assert len(proxy.heads) == 2


@pytest.mark.parametrize("proxy", [None, refused_url()], ids=["HTTP_PROXY", "PROXY"])
def test_hosts_of_no_proxy_are_reached_directly(
    proxy: str | None, upstreams: Upstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", refused_url())
    url = f"http://127.0.0.1:{upstreams.http[1]}/"
    with pytest.raises(CannotConnect):
        sent_through(proxy, url, upstreams.authority)
    monkeypatch.setenv("NO_PROXY", "other.example, 127.0.0.1")
    sent_through(proxy, url, upstreams.authority)
