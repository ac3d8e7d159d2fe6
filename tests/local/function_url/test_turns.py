"""Turns of the event loop: one beginning in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.function_url.turns import Turns

CROWD = 20


class TurnCounter:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@pytest.fixture
async def loop_turns() -> AsyncIterator[TurnCounter]:
    counter = TurnCounter()
    counting = asyncio.create_task(counter.run())
    yield counter
    counting.cancel()


async def test_each_of_a_crowd_begins_in_its_own_turn_and_in_order(
    loop_turns: TurnCounter,
) -> None:
    turns = Turns()

    async def begin(number: int) -> tuple[int, int]:
        await turns.wait()
        return loop_turns.count, number

    begun = await asyncio.gather(*(begin(number) for number in range(CROWD)))
    assert [number for _, number in sorted(begun)] == list(range(CROWD))
    assert len({turn for turn, _ in begun}) == CROWD


async def test_single_caller_does_not_wait(loop_turns: TurnCounter) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    before = loop_turns.count
    await Turns().wait()
    assert loop_turns.count == before


async def test_canceled_caller_does_not_delay_the_others() -> None:
    turns, begun = Turns(), list[int]()

    async def begin(number: int) -> None:
        await turns.wait()
        begun.append(number)

    tasks = [asyncio.create_task(begin(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns.wait()
    assert begun == [0, 3]
