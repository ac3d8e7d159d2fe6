"""Turns of the event loop: one beginning in each, and what has come in between."""

from __future__ import annotations

import asyncio

from local.function_url.turns import Turns

CROWD = 20


async def turns_of_the_loop(count: list[int]) -> None:
    while True:
        count[0] += 1
        await asyncio.sleep(0)


def test_each_of_a_crowd_begins_in_a_turn_of_its_own_and_in_order() -> None:
    async def begin(number: int, turns: Turns, now: list[int]) -> tuple[int, int]:
        await turns.wait()
        return now[0], number

    async def crowd() -> list[tuple[int, int]]:
        turns, now = Turns(), [0]
        counting = asyncio.create_task(turns_of_the_loop(now))
        begun = await asyncio.gather(*(begin(number, turns, now) for number in range(CROWD)))
        counting.cancel()
        return begun

    begun = asyncio.run(crowd())
    assert [number for _, number in sorted(begun)] == list(range(CROWD))
    assert len({turn for turn, _ in begun}) == CROWD


def test_one_that_comes_alone_does_not_wait() -> None:
    async def alone() -> int:
        turns, now = Turns(), [0]
        counting = asyncio.create_task(turns_of_the_loop(now))
        for _ in range(3):
            await asyncio.sleep(0)
        before = now[0]
        await turns.wait()
        counting.cancel()
        return now[0] - before

    assert asyncio.run(alone()) == 0


def test_one_that_leaves_while_it_waits_keeps_nobody_waiting() -> None:
    async def crowd() -> list[int]:
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
        return begun

    assert asyncio.run(crowd()) == [0, 3]
