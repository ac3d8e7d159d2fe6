"""A SOCKS5 proxy on a real socket. RFC 1928 and, for passwords, RFC 1929."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.scripted_upstream import PATIENCE_S
from tests.sluice.http.served_connections import copy_both_ways

if TYPE_CHECKING:
    Address = tuple[str, int]

IPV4, NAME = 1, 3
NO_PASSWORD, PASSWORD, REFUSED = b"\x05\x00", b"\x05\x02", b"\x05\xff"
OK, NOT_ALLOWED = b"\x05\x00", b"\x05\x02"
FROM = b"\x00\x01\x00\x00\x00\x00\x00\x00"


class SocksProxy:
    """A script: finds whatever it is asked for at one address.

    login: what it asks for, as user:password. allows: whether it connects at all.
    """

    def __init__(self, upstream: Address, login: str = "", *, allows: bool = True) -> None:
        self._upstream = upstream
        self._login = login
        self._allows = allows
        self.asked: list[str] = []
        """host:port of each connection, as the client wrote them."""

    def __call__(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb", 0)
        methods = stream.read(stream.read(2)[1])
        connection.sendall(PASSWORD if self._login else NO_PASSWORD)
        if self._login:
            assert methods == b"\x00\x02"
            user = stream.read(stream.read(2)[1])
            password = stream.read(stream.read(1)[0])
            is_known = b"%b:%b" % (user, password) == self._login.encode()
            connection.sendall(b"\x01\x00" if is_known else b"\x01\x01")
            if not is_known:
                return
        kind = stream.read(4)[3]
        name = stream.read(4) if kind == IPV4 else stream.read(stream.read(1)[0])
        host = socket.inet_ntoa(name) if kind == IPV4 else name.decode()
        self.asked.append(f"{host}:{int.from_bytes(stream.read(2), 'big')}")
        if not self._allows:
            connection.sendall(NOT_ALLOWED + FROM)
            return
        with socket.create_connection(self._upstream, PATIENCE_S) as upstream:
            connection.sendall(OK + FROM)
            copy_both_ways(connection, upstream, bytearray())
