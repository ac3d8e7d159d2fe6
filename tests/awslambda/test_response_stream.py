"""The response stream against a wire that records."""

from __future__ import annotations

import array
import io
import shutil
from typing import TYPE_CHECKING

import pytest

import awslambda
from awslambda.response_stream import ResponseStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awslambda.response_stream import Piece


class RecordingWire:
    """Keeps each packet as one bytes object."""

    def __init__(self) -> None:
        self.content_type: str | None = None
        self.packets: list[bytes] = []

    def open(self, content_type: str, first: Sequence[Piece]) -> None:
        self.content_type = content_type
        self.packets.append(b"".join(first))

    def send(self, pieces: Sequence[Piece]) -> None:
        self.packets.append(b"".join(pieces))


@pytest.fixture
def wire() -> RecordingWire:
    return RecordingWire()


@pytest.fixture
def stream(wire: RecordingWire) -> ResponseStream:
    return ResponseStream(wire)


def test_nothing_is_sent_before_the_first_write(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    stream.set_content_type("text/plain")
    assert (wire.content_type, wire.packets) == (None, [])
    stream.write("a")
    assert (wire.content_type, wire.packets) == ("text/plain", [b"1\r\na\r\n"])


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("é", "é".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (array.array("H", [1]), b"\x01\x00"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'.encode()),
    ],
)
def test_what_can_be_written(
    wire: RecordingWire, stream: ResponseStream, data: object, sent: bytes
) -> None:
    assert stream.write(data) == len(sent)
    assert wire.packets == [b"%x\r\n%b\r\n" % (len(sent), sent)]


def test_none_cannot_be_written(stream: ResponseStream) -> None:
    with pytest.raises(TypeError, match="None"):
        stream.write(None)


def test_end_with_data_is_one_packet(wire: RecordingWire, stream: ResponseStream) -> None:
    stream.end("all")
    assert wire.packets == [b"3\r\nall\r\n0\r\n\r\n"]


def test_empty_write_sends_the_head_once(wire: RecordingWire, stream: ResponseStream) -> None:
    stream.write("")
    stream.write("")
    assert wire.packets == [b""]


def test_second_end_is_harmless_unless_it_has_data(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    stream.end()
    stream.end()
    with pytest.raises(awslambda.WriteAfterEnd):
        stream.end("more")
    assert wire.packets == [b"0\r\n\r\n"]


def test_content_type_and_metadata_come_too_late_after_a_write(stream: ResponseStream) -> None:
    stream.write("a")
    with pytest.raises(awslambda.InvalidStreamingOperation, match="too late"):
        stream.set_content_type("text/plain")
    with pytest.raises(awslambda.InvalidStreamingOperation, match="too late"):
        awslambda.HttpResponseStream.from_(stream, {})


def test_last_metadata_counts(wire: RecordingWire, stream: ResponseStream) -> None:
    for status in (200, 404):
        awslambda.HttpResponseStream.from_(stream, {"statusCode": status})
    stream.write("")
    assert wire.packets == [b'1a\r\n{"statusCode":404}' + bytes(8) + b"\r\n"]


@pytest.mark.parametrize("content_type", ["text/plain\r\nX: y", "text/plain; name=€", "\x00"])
def test_content_type_that_is_no_header_is_refused(
    stream: ResponseStream, wire: RecordingWire, content_type: str
) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        stream.set_content_type(content_type)
    stream.end()
    assert wire.content_type == "application/octet-stream"


def test_stream_is_a_binary_file(wire: RecordingWire, stream: ResponseStream) -> None:
    assert stream.writable()
    shutil.copyfileobj(io.BytesIO(b"copied"), stream)
    stream.close()
    assert wire.packets == [b"6\r\ncopied\r\n", b"0\r\n\r\n"]
    assert stream.ended


def test_block_ends_the_stream(wire: RecordingWire, stream: ResponseStream) -> None:
    with stream:
        stream.write("a")
    assert wire.packets[-1] == b"0\r\n\r\n"


def test_exception_in_the_block_leaves_the_stream_open(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    stream.write("a")
    with pytest.raises(TypeError), stream:
        stream.write(None)
    assert wire.packets == [b"1\r\na\r\n"]


def test_stream_that_nobody_holds_does_not_end_itself(wire: RecordingWire) -> None:
    ResponseStream(wire).write("a")
    assert wire.packets == [b"1\r\na\r\n"]


@pytest.mark.parametrize("source", [[b"a", b"b"], (x for x in (b"a", b"b"))])
def test_pipeline_of_an_iterable(
    wire: RecordingWire, stream: ResponseStream, source: list[bytes]
) -> None:
    awslambda.pipeline(source, stream)
    assert wire.packets == [b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"]


def test_pipeline_of_a_file_does_not_wait_for_a_full_buffer(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    class Trickle(io.RawIOBase):
        pieces = iter([b"one", b"two"])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed: Buffer
            piece = next(self.pieces, b"")
            buffer[: len(piece)] = piece
            return len(piece)

    awslambda.pipeline(io.BufferedReader(Trickle()), stream)
    assert wire.packets == [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def test_failing_source_leaves_the_stream_open(wire: RecordingWire, stream: ResponseStream) -> None:
    def source() -> object:
        yield b"a"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        awslambda.pipeline(source(), stream)  # type: ignore[arg-type] # a generator of objects
    assert wire.packets == [b"1\r\na\r\n"]


def test_after_response_without_the_runtime_is_called_at_once() -> None:
    calls: list[tuple[int, int]] = []
    awslambda.after_response(lambda a, b: calls.append((a, b)), 1, b=2)
    assert calls == [(1, 2)]


def test_metadata_that_is_no_json_leaves_the_answer_unbegun(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    awslambda.HttpResponseStream.from_(stream, {"statusCode": object()})
    with pytest.raises(TypeError):
        stream.write("a")
    assert not stream.begun
    assert wire.packets == []


def test_piece_of_a_pipeline_is_one_segment_of_the_loopback_interface(
    wire: RecordingWire, stream: ResponseStream
) -> None:
    awslambda.pipeline(io.BytesIO(bytes(1 << 20)), stream)
    headers_of_ip_and_tcp = 20 + 32
    assert len(wire.packets) <= 18
    assert max(map(len, wire.packets)) <= 0xFFFF - headers_of_ip_and_tcp
