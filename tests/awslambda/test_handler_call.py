"""Handlers of every kind."""

from __future__ import annotations

import pytest

from tests.awslambda.scripted_runtime_api import Runtime

ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
KINDS = {
    "iterator": "def handler(e, s, c): return iter(['a', b'b', {'c': 1}])",
    "async iterator": """
class Pieces:
    def __init__(self): self.left = ['a', b'b', {'c': 1}]
    def __aiter__(self): return self
    async def __anext__(self):
        if not self.left: raise StopAsyncIteration
        return self.left.pop(0)
def handler(e, s, c): return Pieces()
""",
    "generator": """
def handler(e, s, c):
    yield 'a'
    yield b'b'
    yield {'c': 1}
""",
    "async generator": """
async def handler(e, s, c):
    yield 'a'
    await asyncio.sleep(0)
    yield b'b'
    yield {'c': 1}
""",
    "generator that also writes": """
def handler(e, s, c):
    yield 'a'
    s.write('b')
    yield {'c': 1}
""",
}
plain_and_async = pytest.mark.parametrize("kind", ["def", "async def"])


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_handler_of_every_kind(streaming: Runtime, kind: str) -> None:
    for _ in range(2):
        answer = streaming.serve(f"import asyncio\n{KINDS[kind]}")
        assert (answer.body, answer.trailers) == (b'ab{"c":1}', [])


@plain_and_async
def test_result_of_a_streaming_handler_is_ignored_with_a_warning(
    streaming: Runtime, kind: str
) -> None:
    source = f"{kind} handler(e, s, c):\n    s.write('a')\n    return 'ignored'"
    assert streaming.serve(source).body == b"a"
    assert "[WARNING] Streaming handlers ignore return values." in streaming.new_output()


@plain_and_async
def test_exception_in_a_generator_after_its_first_piece_gives_trailers(
    streaming: Runtime, kind: str
) -> None:
    source = f"{kind} handler(e, s, c):\n    yield 'a'\n    raise ValueError('late')"
    answer = streaming.serve(source)
    assert (answer.body, dict(answer.trailers)[ERROR_TYPE]) == (b"a", "ValueError")


@plain_and_async
def test_generator_is_closed_before_the_next_event(streaming: Runtime, kind: str) -> None:
    source = f"{kind} handler(e, s, c):\n    try: yield None\n    finally: print('closed')"
    streaming.serve(source, leaf="error")  # None cannot be written
    assert "closed" in streaming.new_output()


def test_async_handlers_share_one_event_loop(ordinary: Runtime) -> None:
    source = "import asyncio\nasync def handler(e, c): return id(asyncio.get_running_loop())"
    assert len({ordinary.serve(source).body for _ in range(2)}) == 1


def test_cancellation_that_leaves_the_handler_is_an_error_of_its_invocation(
    ordinary: Runtime, streaming: Runtime
) -> None:
    source = "import asyncio\nasync def handler(*arguments): raise asyncio.CancelledError"
    for runtime in (ordinary, streaming):
        error = runtime.serve(source, leaf="error")
        assert error.header(ERROR_TYPE) == "CancelledError"
        runtime.api.expect_next()


def test_other_tasks_run_while_drain_waits(streaming: Runtime) -> None:
    source = """
import asyncio
async def handler(e, s, c):
    turns = []
    task = asyncio.create_task(asyncio.sleep(0, turns.append(1)))
    other = asyncio.get_running_loop().call_soon(turns.append, 2)
    await s.drain()
    s.end(turns)
"""
    assert streaming.serve(source).body == b"[1,2]"
