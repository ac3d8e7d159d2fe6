"""The clock of the machine, and the one that tests move: they keep one contract."""

from __future__ import annotations

import asyncio
import time

import pytest

from local.clock import Clock, LoopClock
from tests.local.hand_clock import HandClock


def test_loop_clock_tells_the_machines_time() -> None:
    before = time.time()
    assert before <= LoopClock().now() <= time.time()


@pytest.mark.parametrize("kind", [LoopClock, HandClock])
async def test_block_that_ends_in_time_raises_nothing(kind: type[LoopClock | HandClock]) -> None:
    clock: Clock = kind()
    async with clock.timeout(60):
        await asyncio.sleep(0)


async def test_loop_clock_sleeps_and_ends_a_block_that_is_late() -> None:
    clock = LoopClock()
    await clock.sleep(0)
    with pytest.raises(TimeoutError):
        async with clock.timeout(0):
            await asyncio.Event().wait()


async def test_hand_clock_sleeps_until_it_is_moved_far_enough() -> None:
    clock = HandClock()
    began = clock.now()
    sleeping = asyncio.create_task(clock.sleep(10))
    await clock.armed(10)
    clock.advance(9.5)
    assert clock.is_armed(10)
    clock.advance(0.5)
    await sleeping
    assert clock.now() - began == 10
    assert not clock.is_armed(10)


async def test_hand_clock_ends_a_block_that_is_late() -> None:
    clock = HandClock()

    async def late() -> None:
        async with clock.timeout(29):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(late())
    await clock.armed(29)
    clock.advance(29)
    with pytest.raises(TimeoutError):
        await waiting
