"""Turns of the event loop: one new request in each."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets one caller continue in each turn of the loop, in the order of their arrival.

    Otherwise the loop would begin every request of a crowd before it reads any answer, and the
    first client would wait as long as the last one. Between two turns the loop relays answers.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False

    async def wait(self) -> None:
        """Return at once in a turn without another caller, else when it is this caller's turn."""
        loop = asyncio.get_running_loop()
        if not self._is_taken:
            self._is_taken = True
            loop.call_soon(self._next)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # a request may be gone by now
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._is_taken = False
