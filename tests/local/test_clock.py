"""The clock of the machine and the one that tests move keep the same contract."""

from __future__ import annotations

import asyncio
import time

import pytest

from local.clock import Clock
from tests.local.hand_clock import HandClock


@pytest.mark.parametrize("clock", [Clock(), HandClock()])
async def test_block_that_ends_in_time_raises_nothing(clock: Clock) -> None:
    async with clock.timeout(60):
        await asyncio.sleep(0)


async def test_clock_reads_the_time_sleeps_and_times_out() -> None:
    clock, before = Clock(), time.time()
    assert before <= clock.now() <= time.time()
    await clock.sleep(0)
    with pytest.raises(TimeoutError):
        async with clock.timeout(0):
            await asyncio.Event().wait()


async def test_hand_clock_sleeps_until_it_is_moved_far_enough() -> None:
    clock = HandClock()
    start = clock.now()
    sleeping = asyncio.create_task(clock.sleep(10))
    await clock.armed(10)
    clock.advance(9.5)
    assert clock.is_armed(10)
    clock.advance(0.5)
    await sleeping
    assert clock.now() - start == 10
    assert not clock.is_armed(10)


async def test_hand_clock_times_out_a_block() -> None:
    clock = HandClock()

    async def block() -> None:
        async with clock.timeout(29):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(block())
    await clock.armed(29)
    clock.advance(29)
    with pytest.raises(TimeoutError):
        await waiting
