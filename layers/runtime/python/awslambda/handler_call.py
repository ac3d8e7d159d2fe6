"""Calls a handler, of whatever kind it is: plain, async, a generator, an async generator."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from typing import Any

    from awslambda.context import LambdaContext
    from awslambda.response_stream import ResponseStream


class HandlerCall:
    """Calls one handler, again and again; its async kinds all on one asyncio event loop."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._runner: Runner | None = None

    def result(self, event: Any, context: LambdaContext) -> Any:
        """What an ordinary handler returns; awaited if it is async."""
        value = self._handler(event, context)
        return self._run(_value_of(value)) if hasattr(value, "__await__") else value

    def stream(self, event: Any, stream: ResponseStream, context: LambdaContext) -> Any:
        """Let a streaming handler write; what it yields is written too.

        Gives back what the handler returns, of which there is no use.
        """
        value = self._handler(event, stream, context)
        if hasattr(value, "__await__"):
            return self._run(_value_of(value))
        if hasattr(value, "__anext__"):
            return self._run(_write_all_async(value, stream))
        if hasattr(value, "__next__"):
            return _write_all(value, stream)
        return value

    def _run(self, coroutine: Any) -> Any:
        if self._runner is None:
            import asyncio  # noqa: PLC0415 -- 40 ms that only async handlers pay

            # One event loop for the process: what a handler keeps open stays usable.
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)


async def _value_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _write_all(pieces: Iterator[Any], stream: ResponseStream) -> None:
    try:
        for piece in pieces:
            stream.write(piece)
    finally:
        # What a generator holds open is let go now, not when somebody collects it.
        if hasattr(pieces, "close"):
            pieces.close()


async def _write_all_async(pieces: AsyncIterator[Any], stream: ResponseStream) -> None:
    try:
        async for piece in pieces:
            stream.write(piece)
    finally:
        if hasattr(pieces, "aclose"):
            await pieces.aclose()
