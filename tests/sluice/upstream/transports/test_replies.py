"""What every transport sends, and what it makes of the replies."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.http.errors import CannotConnect, InvalidReply, NoReply, ReplyBroken
from tests.scripted_upstream import PATIENCE_S, refused_url
from tests.sluice.http.http1_replies import SAYS
from tests.sluice.http.served_connections import read_head
from tests.sluice.upstream.transports.sending import (
    CHUNKED,
    OK,
    Sender,
    keeps_serving,
    read_all,
    sender_to,
    sends,
    serves_once_and,
)

if TYPE_CHECKING:
    from tests.sluice.upstream.transports.sending import OpenTransport

SIZED = b"HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\nContent-Length: 11\r\n\r\nHello world"
IN_CHUNKS = CHUNKED + b"6\r\nHello \r\n5\r\nworld\r\n0\r\n\r\n"
UNFRAMED = b"HTTP/1.0 200 OK\r\n\r\nHello world"


def test_request_goes_out_as_it_is(open_transport: OpenTransport) -> None:
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            heads.append(head)
            connection.sendall(OK)

    headers = {
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "t",
        "x-utf8": "é",
        "x-bytes": "\udcff",
    }
    with sender_to(open_transport, script) as (sender, _):
        sender.url += "/a%2Fb?c=d&e=%C3%A9"
        for method in ("POST", "GET", "DELETE"):
            assert sender.send(method=method, headers=headers) == (200, b"ok")
    authority = sender.url.split("/")[2].encode()
    for head, method in zip(heads, ("POST", "GET", "DELETE"), strict=True):
        first, *lines = head.rstrip().split(b"\r\n")
        assert first == method.encode() + b" /v1/a%2Fb?c=d&e=%C3%A9 HTTP/1.1"
        found = dict(line.lower().split(b": ", 1) for line in lines)
        expected = {
            b"host": authority,
            b"accept": b"*/*",
            b"accept-encoding": b"identity",
            b"user-agent": b"t",
            b"x-utf8": "é".encode(),
            b"x-bytes": b"\xff",
        }
        if method == "POST":
            expected[b"content-length"] = b"0"
        assert found == expected


def test_header_that_cannot_be_sent_is_a_value_error_and_nothing_is_sent(
    open_transport: OpenTransport,
) -> None:
    with sender_to(open_transport, keeps_serving) as (sender, _):
        sender.send()
        for value in ("a\r\nb: c", "a\nb", "a\0"):
            with pytest.raises(ValueError, match="cannot be sent"):
                sender.send(headers={"x": value})
        assert sender.send() == (200, b"ok")


@pytest.mark.parametrize("whole", [SIZED, IN_CHUNKS, UNFRAMED], ids=["sized", "chunks", "unframed"])
def test_reply_is_the_same_however_it_is_cut(open_transport: OpenTransport, whole: bytes) -> None:
    cuts = range(len(whole) + 1)
    scripts = [sends(whole[:cut], whole[cut:]) for cut in cuts]
    with sender_to(open_transport, *scripts) as (sender, upstream):
        for _ in cuts:
            assert sender.send() == (200, b"Hello world")
    assert upstream.connections == len(cuts)


@pytest.mark.parametrize("whole", [SIZED, IN_CHUNKS], ids=["sized", "chunks"])
def test_reply_that_ends_anywhere_is_never_taken_for_a_whole_one(
    open_transport: OpenTransport, whole: bytes
) -> None:
    cuts = range(whole.rindex(b"world") + len("world"))
    with sender_to(open_transport, *[sends(whole[:cut]) for cut in cuts]) as (sender, upstream):
        for cut in cuts:
            with pytest.raises(ReplyBroken if b"\r\n\r\n" in whole[:cut] else NoReply):
                pytest.fail(f"cut at {cut}: {sender.send()}")
    assert upstream.connections == len(cuts)


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", CHUNKED + b"0\r\n\r\n"),
    ],
    ids=["204", "304", "length 0", "no chunk"],
)
def test_reply_without_a_body_leaves_the_connection_to_the_next(
    open_transport: OpenTransport, method: str, reply: bytes
) -> None:
    def script(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(reply)

    with sender_to(open_transport, script) as (sender, upstream):
        for _ in range(3):
            assert sender.send(method=method).body == b""
        assert upstream.connections == 1


def test_informational_replies_are_passed_over_and_headers_of_one_name_joined(
    open_transport: OpenTransport,
) -> None:
    hints = b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"
    script = sends(hints, hints + SIZED)
    with sender_to(open_transport, script) as (sender, _), sender.reply() as reply:
        assert reply.status == 200
        assert reply.headers == {"x-a": "1, 2", "content-length": "11"}


def test_redirects_cookies_and_compression_are_left_to_others(
    open_transport: OpenTransport,
) -> None:
    heads: list[bytes] = []
    reply = (
        b"HTTP/1.1 307 There\r\nLocation: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\n"
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno"
    )

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            heads.append(head)
            connection.sendall(reply)

    with sender_to(open_transport, script) as (sender, _):
        for _ in range(2):
            assert sender.send() == (307, b"no")
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


@pytest.mark.parametrize(
    "head",
    [CHUNKED, OK[:-2].replace(b"2\r\n\r\n", b"6\r\n\r\n"), UNFRAMED[:19]],
    ids=["chunks", "sized", "unframed"],
)
def test_each_piece_is_there_before_the_next_is_sent(
    open_transport: OpenTransport, head: bytes
) -> None:
    go_on = threading.Semaphore(0)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        for piece in (b"one", b"two"):
            assert go_on.acquire(timeout=PATIENCE_S)
            connection.sendall(b"3\r\n%b\r\n" % piece if head is CHUNKED else piece)
        if head is CHUNKED:
            connection.sendall(b"0\r\n\r\n")

    with sender_to(open_transport, script) as (sender, _), sender.reply() as reply:
        go_on.release()
        reply.wait_for_body()
        reply.wait_for_body()
        assert reply.read() == b"one"
        go_on.release()
        assert reply.read() == b"two"
        assert reply.read() == b""
        assert reply.read() == b""


@pytest.mark.parametrize(
    ("reply", "status", "good", "error"),
    [
        (CHUNKED + b"zz\r\n", 200, b"", InvalidReply),
        (CHUNKED.replace(b"200", b"401") + b"zz\r\n", 401, b"", InvalidReply),
        (CHUNKED + b"2\r\nok\r\nzz\r\n", 200, b"ok", InvalidReply),
        (CHUNKED + b"2\r\nok\r\n", 200, b"ok", ReplyBroken),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, b"", ReplyBroken),  # its end is the connection's
    ],
)
def test_status_and_good_bytes_come_before_what_is_broken(
    open_transport: OpenTransport, reply: bytes, status: int, good: bytes, error: type[Exception]
) -> None:
    """Even if all came at once."""
    with sender_to(open_transport, sends(reply)) as (sender, _), sender.reply() as found:
        assert found.status == status
        if good:
            found.wait_for_body()
            assert found.read() == good
        with pytest.raises(error):
            found.wait_for_body()


@pytest.mark.parametrize("reply", [b"", b"H", b"HTTP/1.1 200 OK\r\n"])
def test_connection_that_ends_before_a_head_gives_no_reply(
    open_transport: OpenTransport, reply: bytes
) -> None:
    with sender_to(open_transport, sends(reply)) as (sender, upstream):
        with pytest.raises(NoReply) as caught:
            sender.send()
        assert caught.value.was_sent
        assert caught.value.has_begun == bool(reply)
        assert upstream.connections == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        *SAYS.items(),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "its headers have more than 65536 bytes"),
    ],
    ids=range(len(SAYS) + 1),
)
def test_server_that_does_not_speak_http_1_is_said_to_speak_something_else(
    open_transport: OpenTransport, reply: bytes, reason: str
) -> None:
    """And gets no second request, even over a connection that had been kept."""
    scripts = serves_once_and(sends(reply)), keeps_serving
    with sender_to(open_transport, *scripts) as (sender, upstream):
        sender.send()
        with pytest.raises(InvalidReply) as caught:
            sender.send()
        assert caught.value.reason == reason
        assert upstream.connections == 1


def test_blank_before_a_colon_does_not_count(open_transport: OpenTransport) -> None:
    reply = OK.replace(b"Content-Length:", b"X-A : b\r\nContent-Length\t:")
    with sender_to(open_transport, sends(reply)) as (sender, _), sender.reply() as found:
        assert found.headers == {"x-a": "b", "content-length": "2"}
        assert read_all(found) == b"ok"


def test_host_that_is_unknown_or_does_not_listen_cannot_be_connected_to(
    open_transport: OpenTransport,
) -> None:
    for url in ("http://é..example/", f"http://{'x' * 64}.example/", refused_url()):
        with pytest.raises(CannotConnect) as caught:
            Sender(open_transport(), url).send()
        assert not caught.value.was_sent
