"""The response stream on a wire that records."""

from __future__ import annotations

import array
import io
import shutil
from dataclasses import dataclass
from decimal import Decimal
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import pytest

import awslambda
from awslambda.response_stream import ResponseStream, is_streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from awslambda.response_stream import Piece


class RecordingWire:
    """Keeps each packet as one bytes object."""

    def __init__(self) -> None:
        self.content_type: str | None = None
        self.packets: list[bytes] = []

    def open(self, content_type: str, first: Sequence[Piece]) -> None:
        self.content_type = content_type
        self.send(first)

    def send(self, pieces: Sequence[Piece]) -> None:
        self.packets.append(b"".join(pieces))


class Recorded(ResponseStream):
    def __init__(self) -> None:
        self.wire = RecordingWire()
        super().__init__(self.wire)


@pytest.fixture
def stream() -> Recorded:
    return Recorded()


def test_nothing_is_sent_before_the_first_write(stream: Recorded) -> None:
    stream.set_content_type("text/plain")
    assert (stream.wire.content_type, stream.wire.packets) == (None, [])
    stream.write("a")
    assert (stream.wire.content_type, stream.wire.packets) == ("text/plain", [b"1\r\na\r\n"])


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("é", "é".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (array.array("H", [1]), b"\x01\x00"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'.encode()),
        ({"n": Decimal("1.10"), "b": b"x"}, b'{"n":1.10,"b":"x"}'),
        ("\ud83d", "\ufffd".encode()),
        ("a\ud83db\ude00", "a\ufffdb\ufffd".encode()),
        ("\ud83d\ude00", "\U0001f600".encode()),
        ({"t": "\ud83d"}, b'{"t":"\\ud83d"}'),
    ],
)
def test_text_bytes_and_json_values_can_be_written(
    stream: Recorded, data: object, sent: bytes
) -> None:
    assert stream.write(data) == len(sent)
    assert stream.wire.packets == [b"%x\r\n%b\r\n" % (len(sent), sent)]


def handle(_event: object, stream: ResponseStream, _context: object) -> None:
    stream.end("x")


class Handlers:
    __slots__ = ()

    def method(self, _event: object, stream: ResponseStream, _context: object) -> None:
        handle(_event, stream, _context)

    __call__ = method

    @classmethod
    def of_the_class(cls, *arguments: Any) -> None:
        cls().method(*arguments)

    @awslambda.streamify_response
    @classmethod
    def marked_of_the_class(cls, *arguments: Any) -> None:
        cls().method(*arguments)

    @awslambda.streamify_response
    @staticmethod
    def marked_static(*arguments: Any) -> None:
        handle(*arguments)


class Stubborn(Handlers):
    def __setattr__(self, _name: str, _value: object) -> None:
        """Take any attribute and forget it."""


@dataclass(frozen=True)
class Frozen(Handlers):
    """Refuses any attribute."""


@pytest.mark.parametrize(
    "handler",
    [
        handle,
        partial(handle),
        Handlers().method,
        Handlers(),
        Handlers.of_the_class,
        Handlers.marked_of_the_class,
        Handlers.marked_static,
        Stubborn(),
        Frozen(),
    ],
)
def test_anything_callable_can_stream(stream: Recorded, handler: Callable[..., Any]) -> None:
    marked = awslambda.streamify_response(handler)
    marked({}, stream, None)
    assert is_streaming(marked)
    assert is_streaming(wraps(marked)(lambda *_: None))
    assert stream.wire.packets == [b"1\r\nx\r\n0\r\n\r\n"]


def test_mark_on_a_method_leaves_the_class_alone() -> None:
    awslambda.streamify_response(Handlers().method)
    assert not is_streaming(Handlers().method)


def test_none_cannot_be_written(stream: Recorded) -> None:
    with pytest.raises(TypeError, match="None"):
        stream.write(None)


def test_end_with_data_is_one_packet(stream: Recorded) -> None:
    stream.end("all")
    assert stream.wire.packets == [b"3\r\nall\r\n0\r\n\r\n"]


def test_empty_write_sends_the_head_once(stream: Recorded) -> None:
    stream.write("")
    stream.write("")
    assert stream.wire.packets == [b""]


def test_second_end_is_harmless_but_data_after_the_end_is_an_error(stream: Recorded) -> None:
    stream.end()
    stream.end()
    for add in (stream.end, stream.write):
        with pytest.raises(awslambda.WriteAfterEnd):
            add("more")
    assert stream.wire.packets == [b"0\r\n\r\n"]


def test_content_type_and_metadata_are_too_late_after_a_write(stream: Recorded) -> None:
    stream.write("a")
    with pytest.raises(awslambda.InvalidStreamingOperation, match="too late"):
        stream.set_content_type("text/plain")
    with pytest.raises(awslambda.InvalidStreamingOperation, match="too late"):
        awslambda.HttpResponseStream.from_(stream, {})


def test_last_metadata_wins(stream: Recorded) -> None:
    for text in ("x", "é"):
        awslambda.HttpResponseStream.from_(stream, {"headers": {"X-A": text}})
    stream.write("")
    metadata = '{"headers":{"X-A":"é"}}'.encode()
    assert stream.wire.packets == [b"20\r\n" + metadata + bytes(8) + b"\r\n"]


def test_metadata_that_json_cannot_encode_leaves_the_answer_unbegun(stream: Recorded) -> None:
    awslambda.HttpResponseStream.from_(stream, {"statusCode": object()})
    with pytest.raises(TypeError):
        stream.write("a")
    assert (stream.begun, stream.wire.packets) == (False, [])


@pytest.mark.parametrize("content_type", ["text/plain\r\nX: y", "text/plain; name=€", "\x00"])
def test_content_type_that_is_unsafe_in_a_header_is_rejected(
    stream: Recorded, content_type: str
) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        stream.set_content_type(content_type)
    stream.end()
    assert stream.wire.content_type == "application/octet-stream"


def test_stream_is_a_binary_file(stream: Recorded) -> None:
    assert stream.writable()
    shutil.copyfileobj(io.BytesIO(b"copied"), stream)
    stream.close()
    assert stream.wire.packets == [b"6\r\ncopied\r\n", b"0\r\n\r\n"]
    assert stream.ended


def test_block_ends_the_stream(stream: Recorded) -> None:
    with stream:
        stream.write("a")
    assert stream.wire.packets == [b"1\r\na\r\n", b"0\r\n\r\n"]


def test_block_that_raises_leaves_the_stream_open(stream: Recorded) -> None:
    stream.write("a")
    with pytest.raises(TypeError), stream:
        stream.write(None)
    assert stream.wire.packets == [b"1\r\na\r\n"]


def test_abandoned_stream_does_not_end_itself() -> None:
    wire = RecordingWire()
    ResponseStream(wire).write("a")
    assert wire.packets == [b"1\r\na\r\n"]


def test_pipeline_writes_each_piece_of_an_iterable_and_ends_the_stream() -> None:
    for source in ([b"a", b"b"], (x for x in (b"a", b"b"))):
        stream = Recorded()
        awslambda.pipeline(source, stream)
        assert stream.wire.packets == [b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"]


def test_pipeline_of_a_file_does_not_wait_for_a_full_buffer(stream: Recorded) -> None:
    class Trickle(io.RawIOBase):
        pieces = iter([b"one", b"two"])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed: Buffer
            piece = next(self.pieces, b"")
            buffer[: len(piece)] = piece
            return len(piece)

    awslambda.pipeline(io.BufferedReader(Trickle()), stream)
    assert stream.wire.packets == [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def test_pipelines_source_that_fails_leaves_the_stream_open(stream: Recorded) -> None:
    def source() -> Generator[bytes]:
        yield b"a"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        awslambda.pipeline(source(), stream)
    assert stream.wire.packets == [b"1\r\na\r\n"]


def test_piece_of_a_pipeline_is_one_segment_of_the_loopback_interface(stream: Recorded) -> None:
    awslambda.pipeline(io.BytesIO(bytes(1 << 20)), stream)
    headers_of_ip_and_tcp = 20 + 32
    assert len(stream.wire.packets) <= 18
    assert max(map(len, stream.wire.packets)) <= 0xFFFF - headers_of_ip_and_tcp
