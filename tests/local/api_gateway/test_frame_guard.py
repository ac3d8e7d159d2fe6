"""What a protocol sees through the guard."""

from __future__ import annotations

import asyncio

from websockets.frames import Frame, Opcode

from local.api_gateway.frame_guard import FrameGuard
from local.limits import MAX_FRAME_BYTES

GOOD = Frame(Opcode.TEXT, b"good").serialize(mask=True)
TOO_BIG = Frame(Opcode.TEXT, b"x" * (MAX_FRAME_BYTES + 1)).serialize(mask=True)
CLOSE = Frame(Opcode.CLOSE, b"").serialize(mask=True)


class Recorded(asyncio.Protocol):
    def __init__(self, seen: list[object]) -> None:
        self._seen = seen

    def data_received(self, data: bytes) -> None:
        self._seen.append(data)

    def eof_received(self) -> bool | None:
        self._seen.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.append(exc)

    def pause_writing(self) -> None:
        self._seen.append("pause")

    def resume_writing(self) -> None:
        self._seen.append("resume")


def guard(seen: list[object]) -> FrameGuard:
    return FrameGuard(Recorded(seen), lambda: seen.append("too big"))


def test_violation_is_told_once_behind_what_came_before() -> None:
    seen: list[object] = []
    it = guard(seen)
    for data in (GOOD + TOO_BIG[:100], TOO_BIG[100:], TOO_BIG + CLOSE):
        it.data_received(data)
    assert seen == [GOOD, "too big", CLOSE]


def test_bytes_that_make_no_frame_yet_are_held_back() -> None:
    seen: list[object] = []
    it = guard(seen)
    it.data_received(GOOD[:5])
    assert seen == []
    it.data_received(GOOD[5:])
    assert seen == [GOOD]


def test_all_else_is_passed_on() -> None:
    seen: list[object] = []
    it = guard(seen)
    it.pause_writing()
    it.resume_writing()
    assert it.eof_received() is True
    lost = ConnectionResetError()
    it.connection_lost(lost)
    assert seen == ["pause", "resume", "eof", lost]
