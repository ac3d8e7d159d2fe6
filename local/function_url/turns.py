"""Turns of the event loop, one for each that wants to begin something."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets one caller go on in each turn of the loop, in the order they came.

    In a crowd of requests the loop would otherwise begin all that have arrived before it looks for
    answers, and the first of them would be answered with the last. Between two turns it passes on
    what has come.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False

    async def wait(self) -> None:
        """Return at once where nobody has begun in this turn, else when it is the caller's."""
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
            if not turn.done():  # whoever left meanwhile wants none
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._is_taken = False
