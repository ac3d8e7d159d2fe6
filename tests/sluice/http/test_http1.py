"""HTTP/1.1 from tables, at every split of its input, fuzzed, and judged by h11 and http.client."""

from __future__ import annotations

import http.client
import io
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.http.http1 import (
    MAX_HEAD_BYTES,
    MAX_SIZE_LINE_BYTES,
    HttpError,
    ReplyReader,
    is_body_read,
    request_head,
)
from tests.sluice.http.http1_replies import (
    ALL_BROKEN,
    ALL_REPLIES,
    BROKEN_LATER,
    CHUNKED,
    CUT_SHORT,
    NOT_FOR_HTTP_CLIENT,
    OK,
    REPLIES,
    SAYS,
    SIZED,
    Reply,
)


def read(reader: ReplyReader, pieces: list[bytes]) -> bytes:
    body = b"".join(map(reader.feed, pieces))
    reader.feed(b"")
    return body


def cuts(sent: bytes) -> list[list[bytes]]:
    """All ways to cut it into two, and into bytes."""
    in_two = [[sent[:cut], sent[cut:]] for cut in range(len(sent) + 1)]
    return [*in_two, [bytes([byte]) for byte in sent]]


def some_cuts(sent: bytes) -> list[list[bytes]]:
    """Pieces of some sizes, where there are too many ways."""
    sizes = (1, 7, 1000, 4096, len(sent))
    return [[sent[i : i + size] for i in range(0, len(sent), size)] for size in sizes]


@pytest.mark.parametrize("reply", ALL_REPLIES.values(), ids=ALL_REPLIES)
def test_reply_is_the_same_however_it_is_cut(reply: Reply) -> None:
    for pieces in cuts(reply.sent):
        reader = ReplyReader(reply.method)
        assert read(reader, pieces) == reply.body
        assert reader.head is not None
        assert reader.head.status == reply.status
        assert reader.is_framed == reply.is_framed == reader.is_over
        assert reader.may_keep_connection == reply.is_kept
        reader.end()
        assert reader.is_over
        assert reader.may_keep_connection == reply.is_kept


@pytest.mark.parametrize("reply", ALL_REPLIES.values(), ids=ALL_REPLIES)
def test_bytes_after_a_reply_are_no_part_of_it_and_end_its_connection(reply: Reply) -> None:
    surplus = OK + b"\r\n"
    for cut in range(1, len(surplus) + 1):
        reader = ReplyReader(reply.method)
        body = read(reader, [reply.sent + surplus[:cut], surplus[cut:]])
        assert body == reply.body + (b"" if reply.is_framed else surplus)
        assert not reader.may_keep_connection


@pytest.mark.parametrize(("sent", "body"), ALL_BROKEN.values(), ids=ALL_BROKEN)
def test_broken_reply_is_an_error_after_its_good_bytes(sent: bytes, body: bytes) -> None:
    for pieces in cuts(sent) if len(sent) < 1000 else some_cuts(sent):
        reader, found = ReplyReader("GET"), []
        with pytest.raises(HttpError):  # noqa: PT012 -- what it returns until then counts
            for piece in pieces:
                found.append(reader.feed(piece))  # noqa: PERF401 -- the last one raises
            reader.feed(b"")
        for more in (b"", SIZED + b"Hello"):
            with pytest.raises(HttpError):
                reader.feed(more)
        assert b"".join(found) == body
        assert not reader.may_keep_connection


@pytest.mark.parametrize(("sent", "body"), BROKEN_LATER.values(), ids=BROKEN_LATER)
def test_good_bytes_that_come_with_bad_ones_are_returned_first(sent: bytes, body: bytes) -> None:
    reader = ReplyReader("GET")
    assert reader.feed(sent) == body
    for _ in range(2):
        with pytest.raises(HttpError):
            reader.feed(b"0\r\n\r\n")
    assert not reader.is_over


@pytest.mark.parametrize(("sent", "words"), SAYS.items(), ids=range(len(SAYS)))
def test_broken_reply_is_said_as_what_it_is(sent: bytes, words: str) -> None:
    with pytest.raises(HttpError) as caught:
        ReplyReader("GET").feed(sent)
    assert str(caught.value) == words


def test_body_is_read_by_servers_that_expect_one_and_succeed() -> None:
    for method, body, status, is_read in (
        ("POST", b"x", 200, True),
        ("PUT", b"x", 201, True),
        ("PATCH", b"x", 204, True),
        ("POST", b"", 500, True),
        ("GET", b"", 404, True),
        ("POST", b"x", 307, False),
        ("POST", b"x", 401, False),
        ("POST", b"x", 503, False),
        *((method, b"x", 200, False) for method in ("GET", "HEAD", "DELETE", "OPTIONS", "post")),
    ):
        assert is_body_read(method, body, status) is is_read, (method, body, status)


@pytest.mark.parametrize("sent", CUT_SHORT.values(), ids=CUT_SHORT)
def test_connection_that_ends_before_its_reply_is_an_error(sent: bytes) -> None:
    for pieces in cuts(sent):
        reader = ReplyReader("GET")
        read(reader, pieces)
        assert reader.has_begun == bool(sent)
        with pytest.raises(HttpError):
            reader.end()
        assert not reader.may_keep_connection


def test_headers_are_named_in_lower_case_and_joined() -> None:
    reader = ReplyReader("GET")
    reader.feed(OK + b"X-A: 1\r\nx-b:\t two words \r\nX-a:2\r\nX-Fold:\r\n a\r\n\t b\r\n\r\n")
    assert reader.head is not None
    assert reader.head.headers == {"x-a": "1, 2", "x-b": "two words", "x-fold": "a b"}


def test_values_are_trimmed_by_ascii_spaces_only() -> None:
    """In UTF-8 these end in a byte that Python's strip removes from Latin-1."""
    for value in ("voilà", "Å", "\u2028"):
        reader = ReplyReader("GET")
        reader.feed(OK + b"X: %b\r\n\r\n" % value.encode())
        assert reader.head is not None
        assert reader.head.headers["x"].encode("latin-1").decode() == value


def head_of(length: int) -> bytes:
    return b"HTTP/1.1 204 X\r\nX: ".ljust(length, b"x") + b"\r\n\r\n"


def chunk_with_size_line_of(length: int) -> bytes:
    return CHUNKED + b"1;".ljust(length, b"x") + b"\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("longest", "too_long"),
    [
        (head_of(MAX_HEAD_BYTES), head_of(MAX_HEAD_BYTES + 4)),
        (
            chunk_with_size_line_of(MAX_SIZE_LINE_BYTES - 1),
            chunk_with_size_line_of(MAX_SIZE_LINE_BYTES + 1),
        ),
    ],
    ids=["head", "size line"],
)
def test_head_and_size_line_are_read_up_to_their_limits(longest: bytes, too_long: bytes) -> None:
    for pieces in some_cuts(longest):
        reader = ReplyReader("GET")
        read(reader, pieces)
        assert reader.is_over
    for pieces in some_cuts(too_long):
        with pytest.raises(HttpError, match=r"no end|more than"):
            read(ReplyReader("GET"), pieces)


def test_hundred_megabytes_of_chunks_are_read_in_little_memory() -> None:
    reader, length = ReplyReader("GET"), 0
    reader.feed(CHUNKED)
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for _ in range(1600):
        length += len(reader.feed(piece))
    reader.feed(b"0\r\n\r\n")
    assert reader.may_keep_connection
    assert length == 1600 * 65536


def test_huge_sizes_are_accepted() -> None:
    for head in (
        OK + b"Content-Length: 9999999999999999\r\n\r\n",
        CHUNKED + b"ffffffffffffffff\r\n",
    ):
        reader = ReplyReader("GET")
        assert reader.feed(head + b"ok") == b"ok"
        assert not reader.is_over


@given(st.lists(st.binary()), st.sampled_from(["GET", "HEAD", "CONNECT"]))
def test_arbitrary_bytes_are_an_http_error_or_a_reply(pieces: list[bytes], method: str) -> None:
    judge_by_both_feeds(method, b"".join(pieces), pieces)


@given(st.data())
def test_replies_with_faults_are_an_http_error_or_a_reply(data: st.DataObject) -> None:
    sent = bytearray(data.draw(st.sampled_from([r.sent for r in ALL_REPLIES.values()])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sent)))
        until = at + data.draw(st.integers(0, 2))
        put = st.sampled_from([b"\r", b"\n", b" ", b":", b",", b"0", b"\r\n"]) | st.binary(
            max_size=3
        )
        sent[at:until] = data.draw(put)
    cut = data.draw(st.integers(0, len(sent)))
    judge_by_both_feeds("GET", bytes(sent), [bytes(sent[:cut]), bytes(sent[cut:])])


def judge_by_both_feeds(method: str, sent: bytes, pieces: list[bytes]) -> None:
    """Raises no other error, and the cut makes no difference to what is found."""
    outcomes = []
    for each in ([sent], pieces, [bytes([byte]) for byte in sent]):
        reader, body, failed = ReplyReader(method), b"", False
        try:
            for piece in each:
                body += reader.feed(piece)
            reader.feed(b"")
        except HttpError:
            failed = True
        outcomes.append((reader.head, body, failed, reader.is_over, reader.may_keep_connection))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(
    st.lists(st.binary(min_size=1)),
    st.lists(st.integers(0, 2000)),
    st.sampled_from([b"", b";a=b", b" ", b' ; q="x"']),
)
def test_any_body_in_any_chunks_arrives_as_it_was(
    chunks: list[bytes], at: list[int], extension: bytes
) -> None:
    sent = CHUNKED + b"".join(
        b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks
    )
    sent += b"0%b\r\nA: b\r\n\r\n" % extension
    bounds = [0, *sorted(at), len(sent)]
    pieces = [sent[start:end] for start, end in pairwise(bounds)]
    reader = ReplyReader("POST")
    assert read(reader, pieces) == b"".join(chunks)
    assert reader.may_keep_connection


# Independent judges.

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
VALUE = st.lists(VISIBLE).map(" ".join)
OWN = {"host", "content-length", "transfer-encoding", "connection"}


@given(
    TOKEN,
    VISIBLE,
    st.dictionaries(TOKEN.filter(lambda name: name.lower() not in OWN), VALUE),
    st.binary(),
)
def test_h11_reads_our_requests(
    method: str, target: str, headers: dict[str, str], body: bytes
) -> None:
    head = request_head(method, target, "example.com:8080", headers, body)
    server = h11.Connection(h11.SERVER)
    server.receive_data(head + body)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method.decode(), request.target.decode()) == (method, target)
    found = [(name.decode(), value.decode()) for name, value in request.headers]
    sent = [("host", "example.com:8080"), *((n.lower(), v) for n, v in headers.items())]
    assert found[: len(sent)] == sent
    arrived = b""
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        arrived += event.data
    assert arrived == body
    assert server.trailing_data == (b"", False)


@given(
    st.integers(200, 599),
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.lists(st.binary(max_size=300)),
    st.sampled_from([b"content-length", b"transfer-encoding", b"connection"]),
    st.integers(1, 40),
)
def test_replies_that_h11_writes_are_read(
    status: int, method: str, pieces: list[bytes], framing: bytes, size: int
) -> None:
    has_body = method != "HEAD" and status not in (204, 304)
    body = b"".join(pieces) if has_body else b""
    values = {
        b"content-length": b"%d" % len(body),
        b"transfer-encoding": b"chunked",
        b"connection": b"close",
    }
    sent = written_by_h11(method, status, [(framing, values[framing])], pieces if has_body else [])
    reader = ReplyReader(method)
    assert read(reader, [sent[i : i + size] for i in range(0, len(sent), size)]) == body
    assert reader.head is not None
    assert reader.head.status == status
    may_be_followed = method == "HEAD" or (not has_body and framing == b"transfer-encoding")
    assert reader.may_keep_connection == (framing != b"connection" and not may_be_followed)
    reader.end()


def written_by_h11(
    method: str, status: int, headers: list[tuple[bytes, bytes]], pieces: list[bytes]
) -> bytes:
    server = h11.Connection(h11.SERVER)
    server.receive_data(request_head(method, "/", "example.com", {}, b""))
    while server.next_event() is not h11.PAUSED and server.their_state is not h11.DONE:
        pass
    events: list[h11.Event] = [h11.Response(status_code=status, headers=headers)]
    events += [h11.Data(data=piece) for piece in pieces]
    return b"".join(server.send(event) or b"" for event in [*events, h11.EndOfMessage()])


class SocketOfBytes:
    """What http.client reads a reply from."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._sent)


@pytest.mark.parametrize("name", sorted(REPLIES.keys() - NOT_FOR_HTTP_CLIENT))
def test_http_client_reads_the_same(name: str) -> None:
    expected = REPLIES[name]
    judge = http.client.HTTPResponse(SocketOfBytes(expected.sent), method=expected.method)  # type: ignore[arg-type]
    judge.begin()
    assert (judge.status, judge.read()) == (expected.status, expected.body)
