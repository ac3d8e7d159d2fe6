"""Replies of HTTP/1.1 as servers send them, whole and broken, and what is in them."""

from __future__ import annotations

from typing import NamedTuple

from sluice.http.http1 import MAX_HEAD_BYTES, MAX_INFORMATIONAL_REPLIES, MAX_SIZE_LINE_BYTES

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TWO = b"Content-Length: 2\r\n\r\nok"
SIZED = OK + b"Content-Length: 5\r\n\r\n"


class Reply(NamedTuple):
    """What a server sends, and what is in it."""

    sent: bytes
    body: bytes = b""
    status: int = 200
    method: str = "GET"
    is_kept: bool = True
    is_framed: bool = True


REPLIES = {
    "length": Reply(SIZED + b"Hello", b"Hello"),
    "length of 0": Reply(OK + b"Content-Length: 0\r\n\r\n"),
    "no reason": Reply(b"HTTP/1.1 201\r\n" + TWO, b"ok", 201),
    "empty reason": Reply(b"HTTP/1.1 200 \r\n" + TWO, b"ok"),
    "reason of two words": Reply(
        b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\nno", b"no", 429
    ),
    "unknown status": Reply(b"HTTP/1.1 599 ?\r\nContent-Length: 2\r\n\r\nno", b"no", 599),
    "line feeds alone": Reply(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
    "line ends mixed": Reply(b"HTTP/1.1 200 OK\nContent-Length: 2\n\r\nok", b"ok"),
    "no space after a colon": Reply(OK + b"content-length:2\r\n\r\nok", b"ok"),
    "much space": Reply(OK + b"Content-Length: \t 2 \t\r\n\r\nok", b"ok"),
    "folded header": Reply(OK + b"X-Long: a\r\n b\r\n\tc\r\n" + TWO, b"ok"),
    "header of no value": Reply(OK + b"X:\r\n" + TWO, b"ok"),
    "HEAD": Reply(SIZED, method="HEAD", is_kept=False),
    "HEAD of chunks": Reply(CHUNKED, method="HEAD", is_kept=False),
    "204": Reply(b"HTTP/1.1 204 No Content\r\n\r\n", status=204),
    "204 with a length of 0": Reply(b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", status=204),
    "204 with a length": Reply(
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", status=204, is_kept=False
    ),
    "304 of chunks": Reply(
        b"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n", status=304, is_kept=False
    ),
    "space before a colon": Reply(OK + b"X : a\r\nContent-Length \t: 2\r\n\r\nok", b"ok"),
    "informational": Reply(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + SIZED + b"Hello",
        b"Hello",
    ),
    "closes": Reply(OK + b"Connection: close\r\n" + TWO, b"ok", is_kept=False),
    "closes among others": Reply(
        OK + b"Connection: x\r\nConnection: y , CLOSE\r\n" + TWO, b"ok", is_kept=False
    ),
    "1.0": Reply(b"HTTP/1.0 200 OK\r\n" + TWO, b"ok", is_kept=False),
    "1.0 kept": Reply(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + TWO, b"ok"),
    "until the end": Reply(OK + b"\r\nall of it", b"all of it", is_kept=False, is_framed=False),
    "until the end, 1.0": Reply(
        b"HTTP/1.0 200 OK\r\n\r\nall of it", b"all of it", is_kept=False, is_framed=False
    ),
    "chunks": Reply(CHUNKED + b"5\r\nHello\r\n6\r\n world\r\n0\r\n\r\n", b"Hello world"),
    "no chunk": Reply(CHUNKED + b"0\r\n\r\n"),
    "several zeros": Reply(CHUNKED + b"1\r\nx\r\n000\r\n\r\n", b"x"),
    "sizes in hexadecimal": Reply(
        CHUNKED + b"0a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a"
    ),
    "chunk extensions": Reply(
        CHUNKED + b'2;a=b;c="d e"\r\nok\r\n1 ; x\r\n!\r\n0;last\r\n\r\n', b"ok!"
    ),
    "space after a size": Reply(CHUNKED + b"2  \r\nok\r\n0 \r\n\r\n", b"ok"),
    "trailers": Reply(CHUNKED + b"2\r\nok\r\n0\r\nDigest: x\r\nExpires: y\r\n\r\n", b"ok"),
    "line ends in chunks": Reply(CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "chunks between line feeds": Reply(CHUNKED + b"2\nok\n0\n\n", b"ok"),
    "encoding in capitals": Reply(
        OK + b"TRANSFER-ENCODING: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", b"x"
    ),
    "chunks and a length": Reply(
        OK + b"Content-Length: 999\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"x",
        is_kept=False,
    ),
}
# It reads these differently, or not at all.
NOT_FOR_HTTP_CLIENT = {
    "1.0 kept", "folded header", "chunks between line feeds", "informational",
    "space before a colon", "304 of chunks",
}  # fmt: skip
MORE_REPLIES = {
    "same length twice": Reply(OK + b"Content-Length: 2\r\n" + TWO, b"ok"),
    "same length twice in one": Reply(OK + b"Content-Length: 2, 2\r\n\r\nok", b"ok"),
    "identity encoding": Reply(OK + b"Transfer-Encoding: identity\r\n" + TWO, b"ok", is_kept=False),
    "chunks of 1.0": Reply(  # RFC 9112 section 6.1: its framing cannot be trusted
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\n\r\n",
        b"x",
        is_kept=False,
    ),
    "tunnel": Reply(OK + b"Content-Length: 5\r\n\r\n", method="CONNECT"),
    "tunnel of chunks": Reply(CHUNKED, method="CONNECT"),
    "tunnel refused": Reply(
        b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", b"no", 407, method="CONNECT"
    ),
}
ALL_REPLIES = {**REPLIES, **MORE_REPLIES}

BROKEN = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "version of letters": b"HTTP/1.x 200 OK\r\n\r\n",
    "version of two digits": b"HTTP/1.11 200 OK\r\n\r\n",
    "empty line first": b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20\r\n\r\n" + SIZED + b"Hello",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 OK\r\n\r\n" + SIZED + b"Hello",
    "status with its reason": b"HTTP/1.1 200OK\r\n\r\n",
    "status with a sign": b"HTTP/1.1 +20 OK\r\n\r\n",
    "status of other digits": "HTTP/1.1 ²00 OK\r\n\r\n".encode("latin-1"),
    "informational without an end": b"HTTP/1.1 102 X\r\n\r\n" * (MAX_INFORMATIONAL_REPLIES + 1),
    "protocol changed": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
    "no colon": OK + b"Content-Length\r\n\r\n",
    "no name": OK + b": x\r\n\r\n",
    "space in a name": OK + b"Content Length: 5\r\n\r\nHello",
    "no-break space": "HTTP/1.1 200 OK\r\n\xa0Content-Length: 5\r\n\r\n".encode("latin-1"),
    "zero in a name": OK + b"X\0Y: 5\r\n\r\nHello",
    "zero in a value": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "line end of one half": OK + b"X: a\rContent-Length: 5\r\n\r\nHello",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "two lengths in one": OK + b"Content-Length: 2, 3\r\n\r\nokk",
    "half a length": OK + b"Content-Length: 2,\r\n\r\nok",
    "length of nothing": OK + b"Content-Length:\r\n\r\n",
    "negative length": OK + b"Content-Length: -1\r\n\r\n",
    "length with a sign": OK + b"Content-Length: +2\r\n\r\nok",
    "length in hexadecimal": OK + b"Content-Length: 0x2\r\n\r\nok",
    "length with an underscore": OK + b"Content-Length: 1_0\r\n\r\n0123456789",
    "length of other digits": "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
    "length with a no-break space": OK + b"Content-Length: 2\xa0\r\n\r\nok",
    "length folded": OK + b"Content-Length: 1\r\n 0\r\n\r\n0123456789",
    "length of many digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "other encoding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    "vertical tab before an encoding": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "no encoding": OK + b"Transfer-Encoding:\r\n\r\n",
    "no size": CHUNKED + b"\r\nok\r\n0\r\n\r\n",
    "size with a sign": CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
    "negative size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "size with a prefix": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "size of two numbers": CHUNKED + b"2 2\r\nok\r\n0\r\n\r\n",
    "size with an underscore": CHUNKED + b"0_2\r\nok\r\n0\r\n\r\n",
    "space before a size": CHUNKED + b" 2\r\nok\r\n0\r\n\r\n",
    "size of other digits": CHUNKED + "٢\r\nok\r\n0\r\n\r\n".encode(),
    "size of letters": CHUNKED + b"ok\r\nok\r\n0\r\n\r\n",
    "size of many digits": CHUNKED + b"0" * 16 + b"2\r\nok\r\n0\r\n\r\n",
    "size before two line ends of one half": CHUNKED + b"2\r\r\nok\r\n0\r\n\r\n",
    "no size but an extension": CHUNKED + b";a=b\r\n\r\n",
}  # fmt: skip
BROKEN_LATER = {
    "chunk longer than its size": (CHUNKED + b"2\r\nokay\r\n0\r\n\r\n", b"ok"),
    "chunk that is longer, and silence": (CHUNKED + b"2\r\noka", b"ok"),
    "second size": (CHUNKED + b"2\r\nok\r\nzz\r\n", b"ok"),
    "second size without an end": (
        CHUNKED + b"2\r\nok\r\n1;" + b"x" * MAX_SIZE_LINE_BYTES, b"ok"
    ),
    "trailers without an end": (
        CHUNKED + b"2\r\nok\r\n0\r\n" + b"a: b\r\n" * (MAX_HEAD_BYTES // 4 + 1), b"ok"
    ),
}  # fmt: skip
ALL_BROKEN = {**{name: (sent, b"") for name, sent in BROKEN.items()}, **BROKEN_LATER}
CUT_SHORT = {
    "nothing": b"",
    "half a status": b"HTTP/1.1 2",
    "half a head": OK + b"Content-Le",
    "informational alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "half a body": SIZED + b"Hell",
    "half a chunk": CHUNKED + b"5\r\nHell",
    "no last chunk": CHUNKED + b"5\r\nHello\r\n",
    "no end of the trailers": CHUNKED + b"5\r\nHello\r\n0\r\n",
}
SAYS = {
    b"HTTP/2 200\r\n\r\n": "it is HTTP/2",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "it is HTTP/2",
    b"\0\0\x12\4\0\0\0\0\0": "it is HTTP/2",
    b"\x15\x03\x01\0\2\2\x46": "it is TLS, so the URL must start with https://",
    b"220 smtp ready\r\n": "it does not begin with a status line of HTTP/1",
    BROKEN["no status"]: "it does not begin with a status line of HTTP/1",
    BROKEN["protocol changed"]: "its status 101 switches to another protocol",
    BROKEN["no colon"]: "one of its header lines has no colon",
    BROKEN["zero in a value"]: "one of its header lines is invalid",
    BROKEN["two lengths"]: "its content-length is not one number",
    BROKEN["chunked twice"]: "its transfer encoding is not chunked, once and alone",
    BROKEN["other encoding"]: "its transfer encoding is not chunked, once and alone",
    BROKEN["informational without an end"]: "it has over 32 informational heads",
    BROKEN["size of letters"]: "a chunk's size is not a number",
}
"""What is said of a reply that is broken. Nothing of the reply itself."""
