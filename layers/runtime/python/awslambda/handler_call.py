"""Calls a handler of any kind: plain, async, generator, async generator."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from typing import Any

    from awslambda.context import LambdaContext
    from awslambda.response_stream import ResponseStream


class HandlerCall:
    """Calls one handler repeatedly; all async calls share one asyncio event loop."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._runner: Runner | None = None

    def result(self, event: Any, context: LambdaContext) -> Any:
        """The result of an ordinary handler; awaited if it is async."""
        value = self._handler(event, context)
        return self._run(_value_of(value)) if hasattr(value, "__await__") else value

    def stream(self, event: Any, stream: ResponseStream, context: LambdaContext) -> Any:
        """Let a streaming handler write, and write what it yields.

        Returns the handler's own result, which streaming does not use.
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
            import asyncio  # noqa: PLC0415 -- takes 40 ms; only async handlers need it

            # One event loop per process: connections that a handler keeps stay usable.
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)


async def _value_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _write_all(pieces: Iterator[Any], stream: ResponseStream) -> None:
    try:
        for piece in pieces:
            stream.write(piece)
    finally:
        # Release what the generator holds now, not at garbage collection.
        close = getattr(pieces, "close", None)
        if close:
            close()


async def _write_all_async(pieces: AsyncIterator[Any], stream: ResponseStream) -> None:
    try:
        async for piece in pieces:
            stream.write(piece)
    finally:
        close = getattr(pieces, "aclose", None)
        if close:
            await close()
