"""The lines of functions that start."""

from __future__ import annotations

import asyncio

from local.functions.start_log import StartLog

FOREVER_S = 3600.0


async def test_lines_are_held_until_the_start_is_over() -> None:
    lines: list[str] = []
    log = StartLog(lines.append, hold_s=FOREVER_S)
    log.line("one")
    log.line("two")
    assert lines == []
    log.release()
    assert lines == ["one", "two"]
    log.line("three")
    assert lines == ["one", "two", "three"]


async def test_lines_of_a_start_that_takes_long_are_shown_meanwhile() -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    log = StartLog(lines.put_nowait, hold_s=0.01)
    log.line("one")
    assert await lines.get() == "one"
    log.line("two")
    assert lines.empty()
    assert await lines.get() == "two"


async def test_muted_lines_are_never_shown() -> None:
    lines: list[str] = []
    log = StartLog(lines.append, hold_s=FOREVER_S)
    log.line("one")
    log.mute()
    log.line("two")
    log.release()
    log.line("three")
    assert lines == []
