"""The last requests of this stack, read from the lines that its functions print (no I/O).

A row holds figures and names only: what is not listed here, such as a prompt, never enters it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

MAX_ROWS = 100
"""Maximum requests that are kept: what a page shows."""

_MAX_CONNECTIONS = 1000
"""Maximum WebSocket connections whose principal is remembered."""

_MARK = '{"request_id": '
"""How the log line of a request begins."""

_CONVERSATION = ', "datetime": '
"""Where what was said begins, with LOG_CHAT=true. Inside a text, quotation marks are escaped."""

_NAMES = ("principal", "model", "outcome", "transport", "cache")
_FIGURES = ("status", "total_ms", "micro_usd")
_FIRST = ("first_byte_ms", "first_frame_ms")
_TRANSPORTS = ("url", "websocket")

Row = Mapping[str, object]


class RecentRequests:
    """Keeps the last requests; `follow` gives each of them, and those to come."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._rows: deque[tuple[int, Row]] = deque(maxlen=MAX_ROWS)
        self._count = 0
        self._principals: dict[object, object] = {}
        self._news = asyncio.Event()
        self._is_closed = False

    def note(self, line: str) -> None:
        """Take a line of a function's output; one that reports no request does not count."""
        if not line.startswith(_MARK):
            return
        figures, mark, _ = line.partition(_CONVERSATION)
        try:
            logged = json.loads(figures + "}" if mark else line)
        except ValueError:  # not what it seems
            return
        row = self._row(logged)
        if row is not None:
            self._count += 1
            self._rows.append((self._count, row))
            self._wake()

    async def follow(self, idle_s: float) -> AsyncIterator[Row | None]:
        """Yield the kept rows, then each further one; None after `idle_s` seconds without one."""
        seen = 0
        while not self._is_closed:
            news = self._news
            for number, row in [kept for kept in self._rows if kept[0] > seen]:
                seen = number
                yield row
            try:
                async with asyncio.timeout(idle_s):
                    await news.wait()
            except TimeoutError:
                yield None

    def close(self) -> None:
        """End every `follow`."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _row(self, logged: Mapping[str, object]) -> Row | None:
        transport, connection = logged.get("transport"), logged.get("connection_id")
        if transport == "connect" and connection:
            self._remember(connection, logged.get("principal"))
        is_refused = transport == "connect" and logged.get("outcome") != "ok"
        if transport not in _TRANSPORTS and not is_refused:
            return None
        # The log of a short answer has no principal: the line of its connection has.
        known = {"principal": self._principals.get(connection)}
        names = {name: logged[name] for name in _NAMES if isinstance(logged.get(name), str)}
        figures = {name: logged[name] for name in _FIGURES if _is_figure(logged.get(name))}
        first = next((logged[name] for name in _FIRST if _is_figure(logged.get(name))), None)
        row = {
            **known,
            **names,
            **figures,
            "time": self._now(),
            "what": _what(logged),
            "first_ms": first,
            "tokens": _tokens(logged),
        }
        return {name: value for name, value in row.items() if value is not None}

    def _remember(self, connection: object, principal: object) -> None:
        self._principals[connection] = principal
        if len(self._principals) > _MAX_CONNECTIONS:
            self._principals.pop(next(iter(self._principals)))


def _what(logged: Mapping[str, object]) -> str:
    """Return what was requested: a method and path, or a kind of message."""
    if logged.get("transport") == "url":
        return f"{logged.get('method', '')} {logged.get('path', '')}".strip()
    return str(logged.get("kind") or "handshake")


def _tokens(logged: Mapping[str, object]) -> object:
    """Return what the provider counted, or else what the principal was charged."""
    usage = logged.get("usage")
    counted = usage.get("total_tokens") if isinstance(usage, dict) else None
    return next((n for n in (counted, logged.get("tokens")) if _is_figure(n)), None)


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
