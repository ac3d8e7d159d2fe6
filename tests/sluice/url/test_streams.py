"""A client gets what the upstream sent, however its bytes are cut."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    delta,
    dies_after,
    says,
    scripted_upstream,
    sends,
    sse,
)
from tests.sluice.answering import SECRET
from tests.sluice.url.asking import Reply, UrlBench, answer_to, event_of, gateway_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.url.gateway import UrlGateway

RECORDED = (Path(__file__).parents[2] / "data" / "openai" / "chat_tools_stream.sse").read_bytes()
BODY = {"model": "m", "messages": [], "stream": True}
USAGE = sse({"choices": [], "usage": {"total_tokens": 3}})
COMPRESSED_HEAD = EVENT_STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")


@pytest.fixture(scope="module")
def shared() -> Iterator[ScriptedUpstream]:
    with scripted_upstream() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(shared: ScriptedUpstream) -> UrlGateway:
    return gateway_of(OPENAI_BASE_URL=shared.url)


def chat(gateway: UrlGateway, reply: Reply | None = None) -> Reply:
    return answer_to(event_of("POST", "/v1/chat/completions", BODY), gateway, reply=reply)


def streams(*pieces: bytes) -> Callable[[UpstreamRequest, socket.socket], None]:
    """A script: an event stream in these chunks."""
    sent = EVENT_STREAM_HEAD + b"".join(map(chunk, pieces)) + LAST_CHUNK
    return lambda _request, connection: connection.sendall(sent)


def test_recorded_stream_is_the_same_for_every_cut_into_two_chunks(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    for cut in range(1, len(RECORDED)):
        shared.script = streams(RECORDED[:cut], RECORDED[cut:])
        reply = chat(gateway)
        assert reply.body == RECORDED, cut
        assert all(piece.endswith(b"\n") for piece in reply.writes), cut


@given(asked=st.binary(), answer=st.binary(min_size=1))
@settings(max_examples=100, deadline=None)
def test_bytes_of_any_kind_are_the_same_both_ways(
    shared: ScriptedUpstream, gateway: UrlGateway, asked: bytes, answer: bytes
) -> None:
    shared.requests.clear()
    shared.script = sends(answer)
    headers = {"content-type": "application/octet-stream"}
    reply = answer_to(event_of("POST", "/v1/files", asked, headers=headers), gateway)
    assert shared.requests[0].body == asked
    assert reply.body == answer


@given(pieces=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_stream_of_any_bytes_in_any_chunks_is_the_same(
    shared: ScriptedUpstream, gateway: UrlGateway, pieces: list[bytes]
) -> None:
    shared.script = streams(*pieces)
    assert chat(gateway).body == b"".join(pieces)


def test_answer_that_nobody_wanted_compressed_is_decompressed_and_masked(
    shared: ScriptedUpstream,
) -> None:
    gateway = gateway_of(OPENAI_BASE_URL=shared.url, OPENAI_API_KEY=SECRET)
    document = json.dumps({"k": SECRET}).encode()
    for encoding, body in {
        "gzip": gzip.compress(document),
        "deflate": zlib.compress(document),
        "X-GZIP": gzip.compress(document[:9]) + gzip.compress(document[9:]),
    }.items():
        shared.script = sends(body, "application/json", content_encoding=encoding)
        reply = answer_to(event_of("GET", "/v1/models"), gateway)
        assert "content-encoding" not in reply.headers
        assert reply.body == b'{"k": "[key]"}', encoding
        assert answer_to(event_of("HEAD", "/v1/models"), gateway).status == 200


def test_encoding_that_cannot_be_read_is_an_error_and_not_passed_on(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    shared.script = sends(b"\x8b\x01\x80A", "application/json", content_encoding="br")
    reply = answer_to(event_of("GET", "/v1/models"), gateway)
    assert reply.refusal == (502, "upstream_incomplete")
    assert "compressed its answer with br" in reply.error["message"]
    assert answer_to(event_of("HEAD", "/v1/models"), gateway).status == 200


def test_part_of_a_compressed_body_stays_as_it_is(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    part = gzip.compress(b"x" * 100)[5:9]
    shared.script = sends(part, "application/json", status=206, content_encoding="gzip")
    reply = answer_to(event_of("GET", "/v1/files/f/content"), gateway)
    assert (reply.status, reply.body) == (206, part)
    assert reply.headers["content-encoding"] == "gzip"


def test_compressed_error_is_decompressed(shared: ScriptedUpstream, gateway: UrlGateway) -> None:
    error = gzip.compress(b'{"error": {"message": "m", "type": "t", "param": null, "code": "c"}}')
    head = b"HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = b"".join(chunk(error[at : at + 1]) for at in range(len(error)))
    shared.script = lambda _request, connection: connection.sendall(head + pieces + LAST_CHUNK)
    reply = answer_to(event_of("GET", "/v1/models"), gateway)
    assert reply.refusal == (400, "c")
    assert "content-encoding" not in reply.headers


def test_compressed_stream_passes_event_by_event(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    compressor = zlib.compressobj(wbits=31)
    first = compressor.compress(delta("one")) + compressor.flush(zlib.Z_SYNC_FLUSH)
    rest = compressor.compress(delta("two")) + compressor.flush()
    arrived = threading.Event()

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(COMPRESSED_HEAD + chunk(first))
        assert arrived.wait(PATIENCE_S)
        connection.sendall(chunk(rest) + LAST_CHUNK)

    class TellingReply(Reply):
        def write(self, data: bytes, /) -> int:
            arrived.set()
            return super().write(data)

    shared.script = script
    reply = TellingReply()
    chat(gateway, reply)
    assert reply.writes == [delta("one"), delta("two")]


def test_compressed_stream_that_dies_ends_with_an_error_event(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    compressor = zlib.compressobj(wbits=31)
    first = compressor.compress(delta("one")) + compressor.flush(zlib.Z_SYNC_FLUSH)
    shared.script = dies_after(COMPRESSED_HEAD + chunk(first))
    whole, error, _ = chat(gateway).body.split(b"\n\n")
    assert whole + b"\n\n" == delta("one")
    assert json.loads(error.removeprefix(b"data: "))["error"]["code"] == "upstream_incomplete"


def test_stream_of_an_old_server_ends_with_its_connection(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    shared.script = dies_after(head + RECORDED)
    assert chat(gateway).body == RECORDED
    assert chat(gateway).body == RECORDED  # over a connection of its own


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000])
def test_long_line_and_what_follows_it_are_the_same_bytes(
    shared: ScriptedUpstream, gateway: UrlGateway, size: int
) -> None:
    events = sse("x" * size) + answer_stream(["a"])
    shared.script = streams(*(events[at : at + 1000] for at in range(0, len(events), 1000)))
    assert chat(gateway).body == events


def test_half_an_event_at_a_proper_end_is_passed_on_as_it_is(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    shared.script = sends(delta("one") + b"data: {", "text/event-stream")
    assert chat(gateway).body == delta("one") + b"data: {"


@pytest.mark.parametrize(
    ("ends", "more", "closes"),
    [
        *(
            (ends, more, True)
            for ends in (b"\n\n", b"\r\n\r\n", b"\n", b"")
            for more in (b"", USAGE)
        ),
        (b"\n\n", USAGE, False),
        (b"", b"", False),
    ],
)
def test_stream_is_over_at_its_end_mark(
    shared: ScriptedUpstream,
    gateway: UrlGateway,
    capsys: pytest.CaptureFixture[str],
    ends: bytes,
    more: bytes,
    *,
    closes: bool,
) -> None:
    """A provider may then hold the connection, or break it without the last chunk."""
    stream, done = answer_stream(["a"])[:-2] + ends, threading.Event()
    pieces = [stream[:-9], stream[-9:], ends and more]

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD)
        for piece in filter(None, pieces):
            connection.sendall(chunk(piece))
        if closes:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            done.wait(PATIENCE_S)

    shared.script = script
    reply = chat(gateway)
    done.set()
    assert reply.body == b"".join(pieces)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcome"] == "ok"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-ndjson"])
def test_events_under_another_name_are_an_event_stream(
    shared: ScriptedUpstream, gateway: UrlGateway, content_type: str
) -> None:
    head = EVENT_STREAM_HEAD.replace(b"text/event-stream", content_type.encode())
    half = delta("one")[:20]
    shared.script = dies_after(head + chunk(delta("one")[:3]) + chunk(delta("one")[3:] + half))
    reply = chat(gateway)
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == (
        "text/event-stream",
        "no-cache",
    )
    first, last = reply.body.split(b"\n\n")[:2]
    assert first + b"\n\n" == delta("one")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_incomplete"


def test_bytes_that_only_look_like_events_are_left_alone(
    shared: ScriptedUpstream, gateway: UrlGateway
) -> None:
    """Events were not requested."""
    shared.script = sends(b"data: a file", "application/octet-stream")
    reply = answer_to(event_of("GET", "/v1/files/f/content"), gateway)
    assert (reply.headers["content-type"], reply.body) == (
        "application/octet-stream",
        b"data: a file",
    )
    shared.script = sends(b'{"choices": []}', "application/json")
    reply = chat(gateway)
    assert reply.headers["content-type"] == "application/json"
    assert "cache-control" not in reply.headers


def test_kept_answer_is_sent_in_one_piece(bench: UrlBench, tmp_path: Path) -> None:
    cache = {"CACHE_CHAT_COMPLETION": "true", "STATE_FILE": str(tmp_path / "state.sqlite3")}
    bench.upstream.script = says("a", "b")
    first, hit = [bench.chat(settings=cache) for _ in "ab"]
    assert hit.headers["x-sluice-cache"] == "HIT"
    assert hit.writes == [first.body]
