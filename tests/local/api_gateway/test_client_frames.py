"""Which frames pass, from frames made by the `websockets` package and by hand."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from local.api_gateway.client_frames import ClientFrames
from local.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES

TEXT, CONT, BINARY = Opcode.TEXT, Opcode.CONT, Opcode.BINARY
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG


def frame(opcode: Opcode, size: int, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, b"x" * size, fin).serialize(mask=mask)


FULL = frame(TEXT, MAX_FRAME_BYTES)
TOO_LONG = frame(TEXT, MAX_FRAME_BYTES + 1)
HEAD_OF_TOO_LONG = bytes.fromhex("81ff 0000000000008001 00000000")


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535 // 2, MAX_FRAME_BYTES])
def test_frame_of_each_kind_of_length_passes(size: int, mask: bool) -> None:  # noqa: FBT001
    frames = ClientFrames()
    sent = frame(TEXT, size, mask=mask) + frame(BINARY, size, mask=mask)
    assert frames.passed(sent) == sent
    assert not frames.too_big


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("size", [MAX_FRAME_BYTES + 1, 65_535, 65_536, MAX_MESSAGE_BYTES + 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_frame_that_is_too_long_does_not_pass(
    opcode: Opcode,
    size: int,
    mask: bool,  # noqa: FBT001
) -> None:
    frames = ClientFrames()
    assert frames.passed(frame(opcode, size, mask=mask)) == b""
    assert frames.too_big


@pytest.mark.parametrize(
    "length",
    ["ff 0000000000008001", "ff ffffffffffffffff", "7f 8000000000000000", "fe 8001", "7e 8001"],
)
def test_length_alone_is_enough_to_refuse(length: str) -> None:
    frames = ClientFrames()
    mask = "01020304" if length[0] == "f" else ""
    assert frames.passed(bytes.fromhex("81" + length + mask)) == b""
    assert frames.too_big


def test_short_length_in_a_long_field_passes() -> None:
    # RFC 6455 wants the shortest form; whether it is one is for the reader behind to judge.
    sent = bytes.fromhex("81ff 0000000000000001 00000000 61")
    assert ClientFrames().passed(sent) == sent


def test_message_of_several_full_frames_passes() -> None:
    first = frame(TEXT, MAX_FRAME_BYTES, fin=False)
    middle = frame(CONT, MAX_FRAME_BYTES, fin=False)
    sent = first + middle + frame(PING, 125) + middle + frame(CONT, MAX_FRAME_BYTES)
    frames = ClientFrames()
    assert frames.passed(sent * 2) == sent * 2
    assert not frames.too_big


def test_message_that_its_last_frame_makes_too_long_does_not_pass() -> None:
    parts = [frame(TEXT, MAX_FRAME_BYTES, fin=False)]
    parts += [frame(CONT, MAX_FRAME_BYTES, fin=False)] * 3
    frames = ClientFrames()
    assert frames.passed(b"".join(parts) + frame(CONT, 1)) == b"".join(parts)
    assert frames.too_big


def test_only_control_frames_pass_behind_one_too_long() -> None:
    frames = ClientFrames()
    before = frame(TEXT, 3)
    after = frame(PING, 2), frame(PONG, 0), frame(CLOSE, 2)
    sent = before + TOO_LONG + frame(TEXT, 1) + after[0] + after[1] + frame(BINARY, 200) + after[2]
    assert frames.passed(sent) == before + b"".join(after)


SPLIT = (
    frame(TEXT, 0)
    + frame(TEXT, 3, fin=False)
    + frame(PING, 4)
    + frame(CONT, 126)
    + frame(TEXT, 2, mask=False)
    + HEAD_OF_TOO_LONG
)


@pytest.mark.parametrize("size", range(1, len(SPLIT)))
def test_bytes_pass_alike_in_pieces_of_any_size(size: int) -> None:
    frames = ClientFrames()
    pieces = [SPLIT[at : at + size] for at in range(0, len(SPLIT), size)]
    assert b"".join(map(frames.passed, pieces)) == SPLIT.removesuffix(HEAD_OF_TOO_LONG)
    assert frames.too_big


@pytest.mark.parametrize("at", range(1, len(SPLIT)))
def test_frame_is_refused_with_the_last_byte_of_its_header(at: int) -> None:
    frames = ClientFrames()
    first = frames.passed(SPLIT[:at])
    assert not frames.too_big
    assert SPLIT.startswith(first)
    assert first + frames.passed(SPLIT[at:]) == SPLIT.removesuffix(HEAD_OF_TOO_LONG)
    assert frames.too_big


def test_payload_that_looks_like_a_header_is_none() -> None:
    inner = frame(TEXT, MAX_FRAME_BYTES + 1)[:20]
    sent = Frame(TEXT, inner).serialize(mask=False) + frame(TEXT, 1)
    frames = ClientFrames()
    assert frames.passed(sent) == sent
    assert not frames.too_big
