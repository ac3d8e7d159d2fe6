"""When a transport uses a connection again, and when it sends a request again over a new one."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sluice.http.errors import NoReply
from sluice.http.transport import AT_ONCE_S
from tests.scripted_upstream import PATIENCE_S, ScriptedUpstream, UpstreamRequest
from tests.sluice.http.served_connections import read_head
from tests.sluice.upstream.transports.sending import (
    CHUNKED,
    MUCH,
    OK,
    Sender,
    keeps_serving,
    sender_to,
    sends,
    serves_once_and,
    takes_a_body,
)

if TYPE_CHECKING:
    from tests.sluice.upstream.transports.sending import OpenTransport, Script


def test_connection_serves_one_request_after_another(open_transport: OpenTransport) -> None:
    with sender_to(open_transport, keeps_serving) as (sender, upstream):
        for _ in range(3):
            assert sender.send() == (200, b"ok")
        assert upstream.connections == 1


def test_refusal_of_a_large_body_is_read_although_the_body_was_not(
    open_transport: OpenTransport,
) -> None:
    refusal = b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"
    with sender_to(open_transport, sends(refusal), keeps_serving) as (sender, upstream):
        assert sender.send(MUCH) == (413, b"no")
        assert sender.send() == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.parametrize("body", [b"", MUCH], ids=["small", "large"])
@pytest.mark.parametrize(
    "ending", [lambda _: None, lambda c: c.recv(1)], ids=["closed", "closed at the request"]
)
def test_request_is_sent_again_where_the_kept_connection_was_closed(
    open_transport: OpenTransport, ending: Script, body: bytes
) -> None:
    then = takes_a_body if body else keeps_serving
    with sender_to(open_transport, serves_once_and(ending), then) as (sender, upstream):
        assert sender.send() == (200, b"ok")
        assert sender.send(body) == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.parametrize("body", [b"", MUCH], ids=["small", "large"])
def test_new_connection_that_is_closed_is_not_tried_again(
    open_transport: OpenTransport, body: bytes
) -> None:
    with sender_to(open_transport, lambda c: c.recv(1)) as (sender, upstream):
        with pytest.raises(NoReply) as caught:
            sender.send(body)
        assert not caught.value.has_begun
        assert upstream.connections == 1


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 103 Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_request_is_not_sent_again_once_its_reply_has_begun(
    open_transport: OpenTransport, begun: bytes
) -> None:
    """The model has begun, and a second answer would be billed as well."""
    scripts = serves_once_and(sends(begun)), keeps_serving
    with sender_to(open_transport, *scripts) as (sender, upstream):
        sender.send()
        with pytest.raises(NoReply) as caught:
            sender.send()
        assert caught.value.has_begun
        assert upstream.connections == 1


def test_request_is_not_sent_again_where_the_connection_ends_late(
    open_transport: OpenTransport,
) -> None:
    """The model may have begun."""

    def thinks_and_hangs_up(connection: socket.socket) -> None:
        read_head(connection)
        threading.Event().wait(AT_ONCE_S + 0.1)

    scripts = serves_once_and(thinks_and_hangs_up), keeps_serving
    with sender_to(open_transport, *scripts) as (sender, upstream):
        sender.send()
        with pytest.raises(NoReply):
            sender.send()
        assert upstream.connections == 1


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "later"])
def test_bytes_after_a_reply_are_not_the_next_one(
    open_transport: OpenTransport,
    is_late: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    go_on, sent = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        if is_late:
            connection.sendall(OK)
            assert go_on.wait(PATIENCE_S)
            connection.sendall(evil)
        else:
            connection.sendall(OK + evil)
        sent.set()
        connection.recv(1)

    with sender_to(open_transport, script, keeps_serving) as (sender, upstream):
        assert sender.send() == (200, b"ok")
        go_on.set()
        assert sent.wait(PATIENCE_S)
        assert sender.send() == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        OK.replace(b"200 OK", b"200 OK\r\nConnection: close"),
        OK.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_connection_that_is_not_to_be_kept_is_closed(
    open_transport: OpenTransport, reply: bytes
) -> None:
    closed = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)
        if b"Con" not in reply and b"1.0" not in reply:
            connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
        closed.set()

    with sender_to(open_transport, script, keeps_serving) as (sender, _):
        assert sender.send() == (200, b"ok")
        assert closed.wait(PATIENCE_S)
        assert sender.send() == (200, b"ok")


def test_upstream_hears_that_nobody_reads(open_transport: OpenTransport) -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall(CHUNKED + b"1312d00\r\n" + MUCH)
        gone.set()

    with sender_to(open_transport, script) as (sender, _):
        with sender.reply() as reply:
            assert reply.read()
        assert gone.wait(PATIENCE_S)


GET = b"GET /other HTTP/1.1\r\nHost: u\r\n\r\n"  # as a body: another request


def reads_no_body(reply: bytes) -> Script:
    """A script: reply to each head, and take what follows for the next one."""

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            connection.sendall(reply.replace(b"ok", head[:2]))

    return script


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        *((method, OK) for method in ("GET", "DELETE", "OPTIONS", "get")),
        ("POST", OK.replace(b"200 OK", b"302 There")),
        ("POST", OK.replace(b"200 OK", b"405 No")),
        ("PUT", OK.replace(b"200 OK", b"500 Oh")),
        ("PATCH", OK.replace(b"200 OK", b"413 No")),
    ],
)
def test_body_that_a_server_does_not_read_is_not_the_next_request(
    open_transport: OpenTransport, method: str, reply: bytes
) -> None:
    with sender_to(open_transport, reads_no_body(reply), keeps_serving) as (sender, upstream):
        assert sender.send(GET, method=method).body == method[:2].encode()
        assert sender.send(method="POST") == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", OK[:-2]],
    ids=["204 with a length", "HEAD"],
)
def test_body_after_a_reply_that_has_none_is_not_the_next_reply(
    open_transport: OpenTransport, reply: bytes
) -> None:
    """The body comes late, and looks like a reply."""
    go_on = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)
        go_on.wait(PATIENCE_S)
        connection.sendall(OK.replace(b"ok", b"no"))

    method = "GET" if b"204" in reply else "HEAD"
    with sender_to(open_transport, script, keeps_serving) as (sender, _):
        assert sender.send(method=method).body == b""
        go_on.set()
        assert sender.send() == (200, b"ok")


@pytest.mark.parametrize("is_early", [False, True], ids=["after the body", "before its end"])
def test_reply_that_comes_before_the_body_was_sent_is_the_last_of_its_connection(
    open_transport: OpenTransport,
    is_early: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    def script(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # far less than MUCH
        read_head(connection)
        if is_early:
            connection.sendall(OK)
        left = len(MUCH)
        while left:
            left -= len(connection.recv(left))
        if not is_early:
            connection.sendall(OK)
        keeps_serving(connection)

    with sender_to(open_transport, script, keeps_serving) as (sender, upstream):
        assert sender.send(MUCH) == (200, b"ok")
        assert sender.send() == (200, b"ok")
        assert upstream.connections == (2 if is_early else 1)


def test_tenants_share_no_connection(
    open_transport: OpenTransport, upstream: ScriptedUpstream
) -> None:
    """So a second reply to one's request is nobody else's."""
    ports: dict[str, set[int]] = {}

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        asked = request.headers["x-tenant"]
        ports.setdefault(asked, set()).add(connection.getpeername()[1])
        connection.sendall(OK)

    upstream.script = script
    with closing(open_transport()) as transport:
        sender = Sender(transport, upstream.url)
        for key, principal in 3 * [("k1", "a"), ("k1", "b"), ("k2", "a"), ("k1", None)]:
            headers = {"x-tenant": f"{key} {principal}"}
            assert sender.send(headers=headers, tenant=(key, principal)) == (200, b"ok")
    assert [len(found) for found in ports.values()] == [1, 1, 1, 1]
    assert len(set().union(*ports.values())) == 4


def test_connection_rests_before_its_next_request(
    open_transport: OpenTransport, upstream: ScriptedUpstream
) -> None:
    now, ports = [0.0], list[int]()

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        connection.sendall(OK)

    upstream.script = script
    with closing(open_transport(min_rest_s=1.0, clock=lambda: now[0])) as transport:
        for moment in (0.0, 0.5, 1.0, 2.5):
            now[0] = moment
            assert Sender(transport, upstream.url).send() == (200, b"ok")
    assert [ports.index(port) for port in ports] == [0, 1, 0, 0]
