"""The transport of UPSTREAM_TRANSPORT=requests, by the package of that name; slow to import.

It does what http.transport does not: https and SOCKS proxies, HTTPS_PROXY and NO_PROXY. It follows
no redirect, keeps no cookie, reads no .netrc and leaves a compressed body as it is.
"""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies, should_bypass_proxies
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse as RawResponse

from sluice.http.connection import READ_BYTES, origin_of
from sluice.http.errors import (
    END,
    NEXT_BYTE,
    CannotConnect,
    ReplyBroken,
    broken_reply,
    cannot_connect,
    no_reply,
)
from sluice.http.http1 import NO_BODY_STATUSES, HttpError, request_head
from sluice.http.tls import client_context
from sluice.http.transport import AT_ONCE_S, MAX_KEPT_CONNECTIONS
from sluice.upstream.transports.guarded_connections import (
    Guard,
    Guarded,
    GuardedSocks,
    GuardedSocksTls,
    GuardedTls,
    Rest,
    current,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.http.transport import HttpRequest, Tenant, Waits
    from sluice.stop_signal import StopSignal

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings quote URLs and headers
FAILURES = (OSError, HTTPError, UnicodeError, HttpError)
"""What requests, urllib3 and http1 raise."""


class RequestsTransport:
    """See HttpTransport. proxy: a URL; without one, HTTPS_PROXY and its kind say which."""

    def __init__(
        self,
        proxy: str | None = None,
        trusted_certificates: str | None = None,
        *,
        min_rest_s: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._proxy = proxy
        self._adapter = _Adapter(trusted_certificates)
        self._rest = Rest(min_rest_s, clock)

    def send(
        self, request: HttpRequest, waits: Waits, stop: StopSignal | None = None
    ) -> RequestsReply:
        """See HttpTransport.send."""
        prepared = _prepared(request)
        guard = Guard(request, waits, stop, self._rest)
        try:
            raw = self._send_guarded(prepared, guard)
            if raw is None:
                guard.needs_new_connection = True
                raw = self._send_guarded(prepared, guard)
            assert raw is not None  # noqa: S101 -- a new connection has not rested
        except BaseException:
            guard.close(resets=True)
            raise
        return RequestsReply(raw, request.method, guard)

    def open_ahead(self, url: str, timeout_s: float, tenant: Tenant = ()) -> None:
        """Nothing: urllib3 opens a connection with its request."""

    def close(self) -> None:
        self._adapter.close()

    def _send_guarded(self, prepared: _Prepared, guard: Guard) -> RawResponse | None:
        """The reply with its headers; None where a kept connection had been closed."""
        current.guard = guard
        guard.connect()
        try:
            proxies = self._proxies(str(prepared.url))
            reply = self._adapter.send(prepared, stream=True, proxies=proxies)
        except FAILURES as error:
            guard.raise_own_reason()
            if guard.begun_at is None:
                raise cannot_connect(error) from error
            failed_at_once = time.monotonic() - guard.begun_at < AT_ONCE_S
            if guard.has_kept_connection and failed_at_once and not guard.has_reply_begun:
                return None
            raise no_reply(error, has_begun=guard.has_reply_begun) from error
        finally:
            current.guard = None
        return cast(RawResponse, reply.raw)

    def _proxies(self, url: str) -> dict[str, str]:
        if should_bypass_proxies(url, no_proxy=None):
            return {}
        return {"all": self._proxy} if self._proxy else get_environ_proxies(url)


class RequestsReply:
    """See HttpReply."""

    def __init__(self, raw: RawResponse, method: str, guard: Guard) -> None:
        self.status = raw.status
        self.headers = {name.lower(): raw.headers[name] for name in raw.headers}
        self.opening = None  # urllib3 does not say
        has_no_body = method == "HEAD" or raw.status in NO_BODY_STATUSES
        framing = {"content-length", "transfer-encoding"}
        self._is_framed = has_no_body or not framing.isdisjoint(self.headers)
        self._raw = raw
        self._guard = guard
        self._held = b""

    def wait_for_body(self) -> None:
        if not self._held:
            self._held = self._next_bytes()
            if not self._held and not self._is_framed:
                raise ReplyBroken(was_sent=True)

    def read(self, max_wait_s: float | None = None) -> bytes:
        if self._held:
            data, self._held = self._held, b""
            return data
        self._guard.expect(NEXT_BYTE, max_wait_s or self._guard.waits.next_byte_s)
        return self._next_bytes()

    def close(self) -> None:
        is_over = self._raw.closed
        self._guard.close(resets=not is_over)
        if not is_over:
            self._raw.close()

    def _next_bytes(self) -> bytes:
        if self._raw.closed:
            return b""
        self._guard.raise_own_reason()
        try:
            data = self._raw.read1(READ_BYTES, decode_content=False)
        except FAILURES as error:
            self._guard.raise_own_reason()
            raise broken_reply(error) from error
        self._guard.raise_own_reason()  # then what was read may end anywhere
        self._guard.expect(END)
        return data


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = Guarded

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        if not conn.must_rest:
            return conn
        try:
            return self._get_conn(timeout)
        finally:
            super()._put_conn(conn)

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.let_go()
        super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = GuardedTls


class _SocksPool(_Pool):
    ConnectionCls = GuardedSocks


class _SocksTlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = GuardedSocksTls


class _Prepared(PreparedRequest):
    tenant: tuple[str | None, ...] = ()


class _Adapter(HTTPAdapter):
    """requests' own, over guarded connections, for each tenant its own."""

    def __init__(self, trusted_certificates: str | None) -> None:
        self._trusted = trusted_certificates
        super().__init__(pool_connections=MAX_KEPT_CONNECTIONS)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        options: Any
        place, options = super().build_connection_pool_key_attributes(request, verify, cert)
        # Pools are told apart by their default headers, which requests' own replace.
        return place, {**options, "headers": {"tenant": request.tenant}}

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def close(self) -> None:
        """At once: urllib3 closes the connections of a pool when nobody knows the pool any more."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 -- it is no dict
                manager.pools[key].close()
        super().close()

    def cert_verify(self, conn: Any, _url: str, _verify: Any, _cert: Any) -> None:
        """Of an https proxy too, whose certificate requests does not verify for an http URL."""
        if isinstance(conn, HTTPSConnectionPool):
            conn.cert_reqs = "CERT_REQUIRED"
            conn.conn_kw["ssl_context"] = client_context(self._trusted)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("https:"):
            options["proxy_ssl_context"] = client_context(self._trusted)
        manager = super().proxy_manager_for(proxy, **options)
        is_socks = proxy.lower().startswith("socks")
        manager.pool_classes_by_scheme = {
            "http": _SocksPool if is_socks else _Pool,
            "https": _SocksTlsPool if is_socks else _TlsPool,
        }
        return manager


def _prepared(request: HttpRequest) -> _Prepared:
    """Raises ValueError for what http.transport refuses to send as well."""
    try:
        origin, target = origin_of(request.url)
    except UnicodeError as error:
        raise CannotConnect from error
    request_head(request.method, target, origin.authority, request.headers, request.body)
    headers = CaseInsensitiveDict[Any](
        {
            name: value.strip().encode("utf-8", "surrogateescape")
            for name, value in request.headers.items()
        }
    )
    if request.body:
        headers["content-length"] = str(len(request.body))
    prepared = _Prepared()
    prepared.tenant = request.tenant
    prepared.method, prepared.url = request.method, request.url
    prepared.headers, prepared.body = headers, request.body or None
    return prepared
