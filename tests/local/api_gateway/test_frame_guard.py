"""The frames that pass the guard; the `websockets` package makes them."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Frame, Opcode

from local.api_gateway.frame_guard import ClientFrames, FrameGuard
from local.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES

TEXT, CONT, BINARY = Opcode.TEXT, Opcode.CONT, Opcode.BINARY
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG


def frame(opcode: Opcode, size: int, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, b"x" * size, fin).serialize(mask=mask)


FULL = [frame(TEXT, MAX_FRAME_BYTES, fin=False), *[frame(CONT, MAX_FRAME_BYTES, fin=False)] * 3]
"""A message of the maximum size that has not ended."""

TOO_LONG = frame(TEXT, MAX_FRAME_BYTES + 1)
HEAD_OF_TOO_LONG = bytes.fromhex("81ff 0000000000008001 00000000")


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_frames_pass_up_to_the_maximum_size(opcode: Opcode, *, mask: bool) -> None:
    for size in (0, 1, 125, 126, 127, MAX_FRAME_BYTES):
        frames = ClientFrames()
        sent = frame(opcode, size, mask=mask)
        assert (frames.passed(sent * 2), frames.too_big) == (sent * 2, False)
    for size in (MAX_FRAME_BYTES + 1, 65_535, 65_536, MAX_MESSAGE_BYTES + 1):
        frames = ClientFrames()
        assert (frames.passed(frame(opcode, size, mask=mask)), frames.too_big) == (b"", True)


@pytest.mark.parametrize(
    "length",
    ["ff 0000000000008001", "ff ffffffffffffffff", "7f 8000000000000000", "fe 8001", "7e 8001"],
)
def test_length_alone_is_enough_to_reject(length: str) -> None:
    frames = ClientFrames()
    mask = "01020304" if length[0] == "f" else ""
    assert frames.passed(bytes.fromhex("81" + length + mask)) == b""
    assert frames.too_big


@pytest.mark.parametrize(
    "sent",
    [
        # RFC 6455 requires the shortest form of a length; the reader after the guard checks that.
        bytes.fromhex("81ff 0000000000000001 00000000 61"),
        # A message in several full frames, with a control frame between them.
        (b"".join(FULL[:2]) + frame(PING, 125) + FULL[2] + frame(CONT, MAX_FRAME_BYTES)) * 2,
        # A payload that looks like the header of a frame too long.
        Frame(TEXT, TOO_LONG[:20]).serialize(mask=False) + frame(TEXT, 1),
    ],
    ids=["long form of a length", "message in full frames", "header inside a payload"],
)
def test_unusual_frames_pass(sent: bytes) -> None:
    frames = ClientFrames()
    assert (frames.passed(sent), frames.too_big) == (sent, False)


def test_message_of_too_many_frames_does_not_pass() -> None:
    frames = ClientFrames()
    assert frames.passed(b"".join(FULL) + frame(CONT, 1)) == b"".join(FULL)
    assert frames.too_big


def test_only_control_frames_pass_after_one_too_long() -> None:
    before, after = frame(TEXT, 3), (frame(PING, 2), frame(PONG, 0), frame(CLOSE, 2))
    sent = before + TOO_LONG + frame(TEXT, 1) + after[0] + after[1] + frame(BINARY, 200) + after[2]
    assert ClientFrames().passed(sent) == before + b"".join(after)


def test_bytes_pass_alike_at_every_split() -> None:
    good = frame(TEXT, 0) + frame(TEXT, 3, fin=False) + frame(PING, 4) + frame(CONT, 126)
    good += frame(TEXT, 2, mask=False)
    sent = good + HEAD_OF_TOO_LONG
    for size in range(1, len(sent)):
        frames = ClientFrames()
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert b"".join(map(frames.passed, pieces)) == good
        assert frames.too_big
    for at in range(1, len(sent)):
        frames = ClientFrames()
        first = frames.passed(sent[:at])
        assert not frames.too_big
        assert good.startswith(first)
        assert first + frames.passed(sent[at:]) == good
        assert frames.too_big


class Recorded(asyncio.Protocol):
    def __init__(self) -> None:
        self.seen: list[object] = []

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)

    def eof_received(self) -> bool | None:
        self.seen.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append(exc)

    def pause_writing(self) -> None:
        self.seen.append("pause")

    def resume_writing(self) -> None:
        self.seen.append("resume")


def test_guard_reports_the_first_frame_too_long_once() -> None:
    protocol = Recorded()
    guard = FrameGuard(protocol, lambda: protocol.seen.append("too big"))
    good, close = frame(TEXT, 4), frame(CLOSE, 0)
    guard.data_received(good[:5])
    assert protocol.seen == []
    for data in (good[5:] + TOO_LONG[:100], TOO_LONG[100:], TOO_LONG + close):
        guard.data_received(data)
    assert protocol.seen == [good, "too big", close]


def test_guard_passes_every_other_event_on() -> None:
    protocol = Recorded()
    guard = FrameGuard(protocol, lambda: None)
    guard.pause_writing()
    guard.resume_writing()
    assert guard.eof_received() is True
    lost = ConnectionResetError()
    guard.connection_lost(lost)
    assert protocol.seen == ["pause", "resume", "eof", lost]
